import { PrivacyError } from '../errors.ts';
import { ADD_OR_REMOVE, type Adjacency, type PrivacyEvent } from './events.ts';
import type { LedgerEntry } from './ledger.ts';

/** An (ε, δ) guarantee with its provenance, as reports print it. */
export interface EpsilonStatement {
  /** Upper bound; infinite when something ran without noise. */
  readonly epsilon: number;
  /** Certified lower end of the same epsilon; null from an accountant that gives upper bounds only. */
  readonly epsilonLower: number | null;
  readonly delta: number;
  /** RDP order that gave the bound; null when epsilon is infinite or nothing was released. */
  readonly order: number | null;
  readonly conversion: 'classic' | 'improved' | null;
  /** Name of the accountant that gave the bound: 'rdp' or 'pld'. */
  readonly accountant: string;
  /** Why another accountant than the one asked gave the bound. */
  readonly fallback?: string;
}

export type Support =
  | { readonly supported: true }
  /** `event` says which part is not supported, by its path. */
  | { readonly supported: false; readonly event: string };

/** A bound on δ at a given ε. */
export interface DeltaStatement {
  readonly epsilon: number;
  /** Upper bound, in [0, 1]. */
  readonly delta: number;
  readonly accountant: string;
}

/** Prices privacy events. A pure function of the ledger: the same entries always give the same epsilon. */
export interface PrivacyAccountant {
  readonly name: string;
  /**
   * Whether every part of `event` can be accounted under the adjacency (by default adding or removing one user); names the first that
   * cannot. Ask before user data is touched.
   */
  supports(event: PrivacyEvent, adjacency?: Adjacency): Support;
  /**
   * Upper bound on epsilon of everything in `spent`, composed.
   * @param adjacency of an event given by itself; the entries of a ledger name their own
   * @throws PrivacyError when an event is not supported, entries differ in adjacency, or delta is not in (0, 1)
   */
  epsilon(spent: PrivacyEvent | readonly LedgerEntry[], delta: number, adjacency?: Adjacency): EpsilonStatement;
  /** Upper bound on δ at a given ε; otherwise as `epsilon`. */
  delta(spent: PrivacyEvent | readonly LedgerEntry[], epsilon: number, adjacency?: Adjacency): DeltaStatement;
  /** An empty running total, for epsilon after every round at constant cost. */
  start(adjacency?: Adjacency): RunningTotal;
}

/** A running total of everything in `spent`. @throws PrivacyError as `PrivacyAccountant.epsilon` does */
export function totalOf(
  accountant: Pick<PrivacyAccountant, 'start'>,
  spent: PrivacyEvent | readonly LedgerEntry[],
  adjacency: Adjacency = ADD_OR_REMOVE,
): RunningTotal {
  if ('kind' in spent) {
    const total = accountant.start(adjacency);
    total.add(spent);
    return total;
  }
  const own = spent.length === 0 ? adjacency : spent[0].adjacency;
  const total = accountant.start(own);
  for (const entry of spent) {
    if (entry.adjacency !== own) {
      throw new PrivacyError(
        `ledger: round ${entry.round} is under ${entry.adjacency}, the first entry under ${own}; one epsilon cannot cover both`,
      );
    }
    total.add(entry.event);
  }
  return total;
}

/** The privacy loss so far. Adding the entries of a ledger one by one gives exactly `epsilon(ledger, delta)`. */
export interface RunningTotal {
  /** @throws PrivacyError when the event is not supported; the total is then unchanged */
  add(event: PrivacyEvent): void;
  /**
   * @param next an event that is about to be spent: the answer counts it, the total does not. Asked again once it is added, the answer is at hand
   * @throws PrivacyError when delta is not in (0, 1), or `next` is not supported
   */
  epsilon(delta: number, next?: PrivacyEvent): EpsilonStatement;
  /** @throws PrivacyError when epsilon is negative */
  delta(epsilon: number): DeltaStatement;
}
