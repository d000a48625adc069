import type { LedgerEntry, PrivacyEvent } from './ledger.ts';

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

/** Prices privacy events. A pure function of the ledger: the same entries always give the same epsilon. */
export interface PrivacyAccountant {
  readonly name: string;
  /** Whether every part of `event` can be accounted; names the first that cannot. Ask before user data is touched. */
  supports(event: PrivacyEvent): Support;
  /**
   * Upper bound on epsilon of everything in `spent`, composed.
   * @throws PrivacyError when an event is not supported or delta is not in (0, 1)
   */
  epsilon(spent: PrivacyEvent | readonly LedgerEntry[], delta: number): EpsilonStatement;
  /** An empty running total, for epsilon after every round at constant cost. */
  start(): RunningTotal;
}

/** Epsilon of everything in `spent`, through the accountant's running total. */
export function totalEpsilon(
  accountant: Pick<PrivacyAccountant, 'start'>,
  spent: PrivacyEvent | readonly LedgerEntry[],
  delta: number,
): EpsilonStatement {
  const total = accountant.start();
  if ('kind' in spent) total.add(spent);
  else for (const { event } of spent) total.add(event);
  return total.epsilon(delta);
}

/** The privacy loss so far. Adding the entries of a ledger one by one gives exactly `epsilon(ledger, delta)`. */
export interface RunningTotal {
  /** @throws PrivacyError when the event is not supported; the total is then unchanged */
  add(event: PrivacyEvent): void;
  /** @throws PrivacyError when delta is not in (0, 1) */
  epsilon(delta: number): EpsilonStatement;
}
