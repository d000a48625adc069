import type { DeltaStatement, EpsilonStatement } from './accountant.ts';
import { gaussianDelta, gaussianEpsilon } from './analytic-gaussian.ts';
import { EventAccountant } from './event-accountant.ts';
import type { Mechanism } from './mechanisms.ts';
import type { Repeated } from './spent.ts';

/** Exact accountant of Gaussian noise without sampling, trees and matrix mechanisms among it. */
export class AnalyticGaussianAccountant extends EventAccountant {
  readonly name = 'gaussian';

  refusal(mechanism: Mechanism): string | null {
    if (mechanism.kind !== 'gaussian') return `'${mechanism.kind}'; the exact formula is of Gaussian noise`;
    return mechanism.samplingRate === 1 ? null : 'a sampled Gaussian; the exact formula is of noise on everybody';
  }

  epsilonOf(spent: readonly Repeated[], delta: number): EpsilonStatement {
    const { lower, upper } = gaussianEpsilon(totalMu(spent), delta);
    return { epsilon: upper, epsilonLower: lower, delta, order: null, conversion: null, accountant: this.name };
  }

  deltaOf(spent: readonly Repeated[], epsilon: number): DeltaStatement {
    return { epsilon, delta: gaussianDelta(totalMu(spent), epsilon).upper, accountant: this.name };
  }
}

/** Whether a composition is of Gaussian noise on everybody alone. */
export function isPlainGaussian(spent: readonly Repeated[]): boolean {
  return spent.every(({ mechanism }) => mechanism.kind === 'gaussian' && mechanism.samplingRate === 1);
}

/** μ of the composition: μ² = Σ 1/z². */
export function totalMu(spent: readonly Repeated[]): number {
  return Math.sqrt(
    spent.reduce(
      (sum, { mechanism, count }) =>
        mechanism.kind === 'gaussian' ? sum + count / mechanism.noiseMultiplier ** 2 : sum,
      0,
    ),
  );
}
