import type { GradientCase } from '../../../support/gradient-case.ts';
import { activationCases } from './activations.ts';
import { arithmeticCases } from './arithmetic.ts';
import { convolutionCases } from './convolution.ts';
import { indexingCases } from './indexing.ts';
import { logicCases } from './logic.ts';
import { matrixCases } from './matrix.ts';
import { normalisationCases } from './normalisation.ts';
import { paddingCases } from './padding.ts';
import { poolingCases } from './pooling.ts';
import { rearrangementCases } from './rearrangement.ts';
import { recurrentCases } from './recurrent.ts';
import { reductionCases } from './reductions.ts';
import { reshapingCases } from './reshaping.ts';
import { resizeCases } from './resize.ts';
import { slicingCases } from './slicing.ts';
import { softmaxCases } from './softmax.ts';
import { trigonometricCases } from './trigonometric.ts';

/** Every case whose gradient is compared with finite differences. */
export const gradientCases: readonly GradientCase[] = [
  activationCases,
  arithmeticCases,
  convolutionCases,
  indexingCases,
  logicCases,
  matrixCases,
  normalisationCases,
  paddingCases,
  poolingCases,
  rearrangementCases,
  recurrentCases,
  reductionCases,
  reshapingCases,
  resizeCases,
  slicingCases,
  softmaxCases,
  trigonometricCases,
].flat();
