import { activationRules } from './activations.ts';
import { arithmeticRules } from './arithmetic.ts';
import { convolutionRules } from './convolution.ts';
import { indexingRules } from './indexing.ts';
import { matrixRules } from './matrix.ts';
import { movementRules } from './movement.ts';
import { normalisationRules } from './normalisation.ts';
import type { GradientRule } from './operator.ts';
import { paddingRules } from './padding.ts';
import { poolingRules } from './pooling.ts';
import { rearrangementRules } from './rearrangement.ts';
import { gruRule } from './recurrent/gru.ts';
import { lstmRule } from './recurrent/lstm.ts';
import { rnnRule } from './recurrent/rnn.ts';
import { reductionRules } from './reductions.ts';
import { resizeRules } from './resize.ts';
import { softmaxRules } from './softmax.ts';
import { trigonometricRules } from './trigonometric.ts';

const families = [
  arithmeticRules,
  activationRules,
  matrixRules,
  convolutionRules,
  poolingRules,
  normalisationRules,
  softmaxRules,
  reductionRules,
  movementRules,
  indexingRules,
  rearrangementRules,
  resizeRules,
  paddingRules,
  trigonometricRules,
  [lstmRule, gruRule, rnnRule],
];

const rules = new Map<string, GradientRule>(families.flat().map((rule) => [rule.op, rule]));

/** Operators through which nothing is differentiated: shapes, indices, comparisons and values that depend on none of the weights. */
const flat = new Set(
  'Shape Size Range ConstantOfShape Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Xor IsNaN IsInf Sign Floor Ceil Round ArgMax ArgMin NonZero OneHot'.split(
    ' ',
  ),
);

/** The gradient rule of an operator, if it has one. */
export function gradientRule(op: string): GradientRule | undefined {
  return rules.get(op);
}

/** Whether the operator's gradient is zero everywhere, so that it needs no rule. */
export function isFlat(op: string): boolean {
  return flat.has(op);
}

/** Every operator with a gradient rule, in alphabetical order. */
export function differentiableOperators(): string[] {
  return [...rules.keys()].sort();
}

/** Every operator without a gradient, in alphabetical order. */
export function flatOperators(): string[] {
  return [...flat].sort();
}
