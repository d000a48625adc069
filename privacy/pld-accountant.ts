import { PrivacyError } from '../errors.ts';
import {
  type EpsilonStatement,
  type PrivacyAccountant,
  type RunningTotal,
  type Support,
  totalOf,
} from './accountant.ts';
import { ADD_OR_REMOVE, type Adjacency, type PrivacyEvent } from './events.ts';
import type { LedgerEntry } from './ledger.ts';
import type { Mechanism } from './mechanisms.ts';
import { certifiedEpsilon } from './pld/certified-epsilon.ts';
import { RdpAccountant } from './rdp-accountant.ts';
import { Spent, supportOf } from './spent.ts';

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

  supports(event: PrivacyEvent, adjacency: Adjacency = ADD_OR_REMOVE): Support {
    return supportOf(event, adjacency, refusal);
  }

  epsilon(spent: PrivacyEvent | readonly LedgerEntry[], delta: number, adjacency?: Adjacency): EpsilonStatement {
    return totalOf(this, spent, adjacency).epsilon(delta);
  }

  start(adjacency: Adjacency = ADD_OR_REMOVE): RunningTotal {
    const spent = new Spent(adjacency);
    const rdp = this.#rdp.start(adjacency);
    return {
      add: (event) => {
        const support = this.supports(event, adjacency);
        if (!support.supported) throw new PrivacyError(`the PLD accountant cannot account ${support.event}`);
        rdp.add(event);
        spent.add(event);
      },
      epsilon: (delta) => {
        if (!(delta > 0 && delta < 1)) {
          throw new PrivacyError(`delta must be in (0, 1), got ${delta}; set privacy.delta`);
        }
        const statement = { delta, order: null, conversion: null, accountant: this.name };
        if (spent.withoutPrivacy) return { ...statement, epsilon: Number.POSITIVE_INFINITY, epsilonLower: null };
        const parts = spent
          .mechanisms()
          .flatMap(({ mechanism, count }) => (mechanism.kind === 'gaussian' ? [{ mechanism, count }] : []));
        if (parts.length === 0) return { ...statement, epsilon: 0, epsilonLower: 0 };
        const certified = certifiedEpsilon(parts, delta, this.#interval);
        if ('refused' in certified) return { ...rdp.epsilon(delta), fallback: certified.refused };
        return { ...statement, epsilon: certified.upper, epsilonLower: certified.lower };
      },
    };
  }
}

function refusal({ kind }: Mechanism): string | null {
  return kind === 'gaussian' ? null : `'${kind}' (no privacy-loss distribution; account it by RDP)`;
}
