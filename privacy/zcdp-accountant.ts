import type { DeltaStatement, EpsilonStatement } from './accountant.ts';
import { EventAccountant } from './event-accountant.ts';
import type { Mechanism } from './mechanisms.ts';
import { improvedEpsilon, rdpToDelta } from './rdp-conversion.ts';
import type { Repeated } from './spent.ts';

/**
 * Accountant by zero-concentrated DP (Bun & Steinke 2016): RDP(α) ≤ ρ·α at all orders, so one number per mechanism, and the best order of all reals.
 * For noise on everybody: Gaussian, discrete Gaussian (Canonne et al. 2020), Laplace, trees and matrix mechanisms.
 */
export class ZcdpAccountant extends EventAccountant {
  readonly name = 'zcdp';

  refusal(mechanism: Mechanism): string | null {
    const sampled = mechanism.kind === 'fixedSize' || mechanism.samplingRate !== 1;
    return sampled ? 'a sampled mechanism; zCDP is not amplified by sampling, account it by RDP or PLD' : null;
  }

  epsilonOf(spent: readonly Repeated[], delta: number): EpsilonStatement {
    const rho = totalRho(spent);
    const order = bestOrder((alpha) => improvedEpsilon(rho * alpha, alpha, delta));
    const epsilon = Math.max(0, improvedEpsilon(rho * order, order, delta));
    return { epsilon, epsilonLower: null, delta, order, conversion: 'improved', accountant: this.name };
  }

  deltaOf(spent: readonly Repeated[], epsilon: number): DeltaStatement {
    const rho = totalRho(spent);
    const at = (alpha: number) => rdpToDelta([rho * alpha], [alpha], epsilon).delta;
    const order = bestOrder((alpha) => Math.log(at(alpha) + Number.MIN_VALUE));
    return { epsilon, delta: at(order), accountant: this.name };
  }
}

/** ρ: 1/(2z²), and ε²/2 of a pure ε = 1/b. */
function totalRho(spent: readonly Repeated[]): number {
  return spent.reduce((sum, { mechanism, count }) => {
    if (mechanism.kind === 'fixedSize') return Number.POSITIVE_INFINITY;
    const noise = mechanism.kind === 'laplace' ? mechanism.scale : mechanism.noiseMultiplier;
    return sum + count / (2 * noise * noise);
  }, 0);
}

/** The order above 1 of the smallest bound, by golden sections of log(α − 1). Every order is valid, so an imprecise one costs nothing but tightness. */
function bestOrder(bound: (order: number) => number): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(1e-7), Math.log(1e9)];
  for (let i = 0; i < 120; i++) {
    const left = high - golden * (high - low);
    const right = low + golden * (high - low);
    if (bound(1 + Math.exp(left)) <= bound(1 + Math.exp(right))) high = right;
    else low = left;
  }
  return 1 + Math.exp((low + high) / 2);
}
