import { PrivacyError } from '../errors.ts';
import {
  type EpsilonStatement,
  type PrivacyAccountant,
  type RunningTotal,
  type Support,
  totalEpsilon,
} from './accountant.ts';
import type { LedgerEntry, PrivacyEvent } from './ledger.ts';
import { certifiedEpsilon, type RepeatedMechanism } from './pld/certified-epsilon.ts';
import { RdpAccountant } from './rdp-accountant.ts';
import { sampledGaussianSupport, visit } from './sampled-gaussians.ts';

/**
 * Accountant by privacy-loss distributions: a certified interval of the exact epsilon of Poisson-sampled Gaussian events and their
 * compositions, adding or removing one user. The upper end is the one to report.
 *
 * Where no distribution can be computed (hardly any noise, so that one step's loss or epsilon leaves the range of the grid) the statement
 * is that of RDP, says so in `accountant`, and why in `fallback`.
 */
export class PldAccountant implements PrivacyAccountant {
  readonly name = 'pld';
  readonly #interval: number | null;
  readonly #rdp = new RdpAccountant();

  /** @param interval distance of the grid's losses; null chooses one by the epsilon at hand, 1e-4 or finer unless epsilon is large */
  constructor(interval: number | null = null) {
    if (interval !== null && !(interval > 0)) {
      throw new PrivacyError(`PLD: the discretisation interval must be positive, got ${interval}`);
    }
    this.#interval = interval;
  }

  supports(event: PrivacyEvent): Support {
    return sampledGaussianSupport(event);
  }

  epsilon(spent: PrivacyEvent | readonly LedgerEntry[], delta: number): EpsilonStatement {
    return totalEpsilon(this, spent, delta);
  }

  start(): RunningTotal {
    const counts = new Map<string, RepeatedMechanism>();
    const rdp = this.#rdp.start();
    let withoutPrivacy = false;
    return {
      add: (event) => {
        const support = this.supports(event);
        if (!support.supported) throw new PrivacyError(`the PLD accountant cannot account ${support.event}`);
        rdp.add(event);
        visit(event, 1, (mechanism, count) => {
          if (mechanism === 'nonPrivate') withoutPrivacy = true;
          else if (mechanism.samplingRate > 0) {
            const key = `${mechanism.samplingRate} ${mechanism.noiseMultiplier}`;
            counts.set(key, { mechanism, count: (counts.get(key)?.count ?? 0) + count });
          }
        });
      },
      epsilon: (delta) => {
        if (!(delta > 0 && delta < 1)) {
          throw new PrivacyError(`delta must be in (0, 1), got ${delta}; set privacy.delta`);
        }
        const statement = { delta, order: null, conversion: null, accountant: this.name };
        if (withoutPrivacy) return { ...statement, epsilon: Number.POSITIVE_INFINITY, epsilonLower: null };
        if (counts.size === 0) return { ...statement, epsilon: 0, epsilonLower: 0 };
        const certified = certifiedEpsilon([...counts.values()], delta, this.#interval);
        if ('refused' in certified) return { ...rdp.epsilon(delta), fallback: certified.refused };
        return { ...statement, epsilon: certified.upper, epsilonLower: certified.lower };
      },
    };
  }
}
