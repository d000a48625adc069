import { PrivacyError } from '../errors.ts';
import type { DeltaStatement, EpsilonStatement } from './accountant.ts';
import { gaussianDelta, gaussianEpsilon } from './analytic-gaussian.ts';
import { isPlainGaussian, totalMu } from './analytic-gaussian-accountant.ts';
import { smallestDelta } from './delta-search.ts';
import { EventAccountant } from './event-accountant.ts';
import type { Mechanism } from './mechanisms.ts';
import { certifiedEpsilon, type RepeatedMechanism } from './pld/certified-epsilon.ts';
import { RdpAccountant } from './rdp-accountant.ts';
import type { Repeated } from './spent.ts';

/**
 * Accountant by privacy-loss distributions: a certified interval of the exact epsilon of Poisson-sampled Gaussian and Laplace noise and their
 * compositions. The upper end is the one to report. Gaussian noise on everybody alone has a closed form, which is used.
 *
 * Where no distribution can be computed (hardly any noise, so that one step's loss or epsilon leaves the range of the grid), or the bound of RDP is
 * below its upper end, the statement is that of RDP, says so in `accountant`, and why in `fallback`.
 */
export class PldAccountant extends EventAccountant {
  readonly name = 'pld';
  readonly #interval: number | null;
  readonly #rdp = new RdpAccountant();

  /** @param interval distance of the grid's losses; null chooses one by the epsilon at hand, 1e-4 or finer unless epsilon is large */
  constructor(interval: number | null = null) {
    super();
    if (interval !== null && !(interval > 0)) {
      throw new PrivacyError(`PLD: the discretisation interval must be positive, got ${interval}`);
    }
    this.#interval = interval;
  }

  refusal({ kind }: Mechanism): string | null {
    return kind === 'gaussian' || kind === 'laplace'
      ? null
      : `'${kind}', which has no privacy-loss distribution here; account it by RDP`;
  }

  epsilonOf(spent: readonly Repeated[], delta: number): EpsilonStatement {
    const statement = { delta, order: null, conversion: null, accountant: this.name };
    if (isPlainGaussian(spent)) {
      const { lower, upper } = gaussianEpsilon(totalMu(spent), delta);
      return { ...statement, epsilon: upper, epsilonLower: lower };
    }
    const certified = certifiedEpsilon(priced(spent), delta, this.#interval);
    const byRdp = this.#rdp.epsilonOf(spent, delta);
    if ('refused' in certified) return { ...byRdp, fallback: certified.refused };
    const { lower, upper } = certified;
    if (byRdp.epsilon < upper) {
      return {
        ...byRdp,
        epsilonLower: lower,
        fallback: `its interval, ${lower.toPrecision(3)} to ${upper.toPrecision(3)}, is too wide, and the bound of RDP is below its end`,
      };
    }
    return { ...statement, epsilon: upper, epsilonLower: lower };
  }

  deltaOf(spent: readonly Repeated[], epsilon: number): DeltaStatement {
    if (isPlainGaussian(spent)) {
      return { epsilon, delta: gaussianDelta(totalMu(spent), epsilon).upper, accountant: this.name };
    }
    const known = this.#rdp.deltaOf(spent, epsilon);
    const delta = smallestDelta((at) => this.epsilonOf(spent, at).epsilon, epsilon, known.delta);
    return delta < known.delta ? { epsilon, delta, accountant: this.name } : known;
  }
}

/** The mechanisms that `refusal` allows. */
function priced(spent: readonly Repeated[]): RepeatedMechanism[] {
  return spent.flatMap(({ mechanism, count }) =>
    mechanism.kind === 'gaussian' || mechanism.kind === 'laplace' ? [{ mechanism, count }] : [],
  );
}
