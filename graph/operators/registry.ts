import { activationOperators } from './activations.ts';
import { arithmeticOperators } from './arithmetic.ts';
import { convolutionOperators } from './convolution.ts';
import { dropoutOperators } from './dropout.ts';
import { indexingOperators } from './indexing.ts';
import { logicOperators } from './logic.ts';
import { matrixOperators } from './matrix.ts';
import { normalisationOperators } from './normalisation.ts';
import type { Decomposition, GradientRule, Operator } from './operator.ts';
import { paddingOperators } from './padding.ts';
import { poolingOperators } from './pooling.ts';
import { rearrangementOperators } from './rearrangement.ts';
import { gru } from './recurrent/gru.ts';
import { lstm } from './recurrent/lstm.ts';
import { rnn } from './recurrent/rnn.ts';
import { reductionOperators } from './reductions.ts';
import { reshapingOperators } from './reshaping.ts';
import { resizeOperators } from './resize.ts';
import { sizeOperators } from './sizes.ts';
import { slicingOperators } from './slicing.ts';
import { softmaxOperators } from './softmax.ts';
import { trigonometricOperators } from './trigonometric.ts';

/** Every operator that the compiler knows. */
export const operators: readonly Operator[] = [
  arithmeticOperators,
  activationOperators,
  logicOperators,
  trigonometricOperators,
  matrixOperators,
  convolutionOperators,
  poolingOperators,
  normalisationOperators,
  dropoutOperators,
  softmaxOperators,
  reductionOperators,
  reshapingOperators,
  slicingOperators,
  indexingOperators,
  rearrangementOperators,
  sizeOperators,
  resizeOperators,
  paddingOperators,
  [lstm, gru, rnn],
].flat();

const byName: ReadonlyMap<string, Operator> = new Map(operators.map((operator) => [operator.op, operator]));

/** What is known of an operator, if anything is. */
export function operatorOf(op: string): Operator | undefined {
  return byName.get(op);
}

/** The gradient rule of an operator, if it has one. */
export function gradientRule(op: string): GradientRule | undefined {
  const gradient = operatorOf(op)?.gradient;
  return gradient === 'zero' ? undefined : gradient;
}

/** How an operator is taken apart on import, if it is. */
export function decompositionOf(op: string): Decomposition | undefined {
  return operatorOf(op)?.decomposition;
}

/** How many outputs a node must have for its gradient rule to read those it reads; at least 1. */
export function outputsRead(op: string): number {
  const reads = gradientRule(op)?.reads ?? [];
  return Math.max(1, ...reads.filter((value) => value.startsWith('y')).map((value) => Number(value.slice(1)) + 1));
}

/** Whether the operator's gradient is zero everywhere, so that it needs no rule. */
export function isFlat(op: string): boolean {
  return operatorOf(op)?.gradient === 'zero';
}

/** Every operator with a gradient rule, in alphabetical order. */
export function differentiableOperators(): string[] {
  return names(({ op }) => gradientRule(op) !== undefined);
}

/** Every operator without a gradient, in alphabetical order. */
export function flatOperators(): string[] {
  return names(({ op }) => isFlat(op));
}

/** Every operator that is taken apart on import, in alphabetical order. */
export function decomposedOperators(): string[] {
  return names(({ decomposition }) => decomposition !== undefined);
}

function names(chosen: (operator: Operator) => boolean): string[] {
  return operators
    .filter(chosen)
    .map(({ op }) => op)
    .sort();
}
