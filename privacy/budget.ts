import type { PrivacyAccountant } from './accountant.ts';
import type { Adjacency, PrivacyEvent } from './events.ts';
import { RdpAccountant } from './rdp-accountant.ts';

/** The most that may be spent. */
export interface BudgetLimit {
  readonly epsilon: number;
  readonly delta: number;
}

/** Rounds ahead that are asked about at once, at most. */
export const LOOK_AHEAD = 32;

/**
 * Keeps a run within its budget. What counts is every event that was spent, whatever q, T or the noise were then: neither resuming nor
 * a crash nor other settings give any of it back.
 *
 * Asked before every round, and a privacy-loss distribution takes a tenth of a second: so RDP, also an upper bound, answers while it says yes, and
 * then several rounds are asked about at once.
 */
export class PrivacyBudget {
  readonly #limit: BudgetLimit;
  readonly #accountant: PrivacyAccountant;
  readonly #adjacency: Adjacency;
  readonly #quick = new RdpAccountant();
  readonly #spent: PrivacyEvent[] = [];
  /** Events that are known to be affordable, in this order, from now on. */
  #affordable: readonly PrivacyEvent[] = [];

  constructor(limit: BudgetLimit, accountant: PrivacyAccountant, adjacency: Adjacency) {
    this.#limit = limit;
    this.#accountant = accountant;
    this.#adjacency = adjacency;
  }

  spend(event: PrivacyEvent): void {
    this.#spent.push(event);
    this.#affordable = this.#knows(event) ? this.#affordable.slice(1) : [];
  }

  /**
   * Whether the first of the events to come stays within the budget.
   * @param upcoming the events of the next rounds, as far ahead as there are rounds; at least one
   */
  affords(upcoming: readonly PrivacyEvent[]): boolean {
    if (this.#knows(upcoming[0]) || this.#within(this.#quick, upcoming.slice(0, 1))) return true;
    let low = 0;
    let high = upcoming.length + 1;
    // All of them first: mostly the end is far.
    let tried = upcoming.length;
    while (high - low > 1) {
      if (this.#within(this.#accountant, upcoming.slice(0, tried))) low = tried;
      else high = tried;
      tried = (low + high) >> 1;
    }
    this.#affordable = upcoming.slice(0, low);
    return low > 0;
  }

  #knows(event: PrivacyEvent): boolean {
    const [known] = this.#affordable;
    return known === event || (known !== undefined && JSON.stringify(known) === JSON.stringify(event));
  }

  #within(accountant: PrivacyAccountant, more: readonly PrivacyEvent[]): boolean {
    const total = accountant.start(this.#adjacency);
    for (const event of this.#spent) total.add(event);
    for (const event of more) total.add(event);
    return total.epsilon(this.#limit.delta).epsilon <= this.#limit.epsilon;
  }
}
