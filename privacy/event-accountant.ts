import { PrivacyError } from '../errors.ts';
import {
  type DeltaStatement,
  type EpsilonStatement,
  type PrivacyAccountant,
  type RunningTotal,
  type Support,
  totalOf,
} from './accountant.ts';
import { ADD_OR_REMOVE, type Adjacency, type PrivacyEvent } from './events.ts';
import type { LedgerEntry } from './ledger.ts';
import type { Mechanism } from './mechanisms.ts';
import { type Repeated, Spent, supportOf } from './spent.ts';

/** What all accountants have in common: events in, statements out. One of them says which mechanisms it prices, and how. */
export abstract class EventAccountant implements PrivacyAccountant {
  abstract readonly name: string;

  /** Says why a mechanism cannot be priced, or null. */
  abstract refusal(mechanism: Mechanism): string | null;
  /** @param spent at least one mechanism, each of which `refusal` allows */
  abstract epsilonOf(spent: readonly Repeated[], delta: number): EpsilonStatement;
  abstract deltaOf(spent: readonly Repeated[], epsilon: number): DeltaStatement;

  supports(event: PrivacyEvent, adjacency: Adjacency = ADD_OR_REMOVE): Support {
    return supportOf(event, adjacency, (mechanism) => this.refusal(mechanism));
  }

  epsilon(spent: PrivacyEvent | readonly LedgerEntry[], delta: number, adjacency?: Adjacency): EpsilonStatement {
    return totalOf(this, spent, adjacency).epsilon(delta);
  }

  delta(spent: PrivacyEvent | readonly LedgerEntry[], epsilon: number, adjacency?: Adjacency): DeltaStatement {
    return totalOf(this, spent, adjacency).delta(epsilon);
  }

  start(adjacency: Adjacency = ADD_OR_REMOVE): RunningTotal {
    const spent = new Spent(adjacency);
    let supported: PrivacyEvent | null = null;
    let priced: { readonly question: string; readonly answer: EpsilonStatement } | null = null;
    const addTo = (total: Spent, event: PrivacyEvent) => {
      const support = event === supported ? { supported: true as const } : this.supports(event, adjacency);
      if (!support.supported) {
        throw new PrivacyError(`the ${this.name} accountant cannot account ${support.event}`);
      }
      supported = event;
      total.add(event);
    };
    return {
      add: (event) => addTo(spent, event),
      epsilon: (delta, next) => {
        if (!(delta > 0 && delta < 1)) {
          throw new PrivacyError(`delta must be in (0, 1), got ${delta}; set privacy.delta`);
        }
        const total = next === undefined ? spent : spent.copy();
        if (next !== undefined) addTo(total, next);
        const statement = { delta, order: null, conversion: null, accountant: this.name };
        if (total.withoutPrivacy) return { ...statement, epsilon: Number.POSITIVE_INFINITY, epsilonLower: null };
        const mechanisms = total.mechanisms();
        if (mechanisms.length === 0) return { ...statement, epsilon: 0, epsilonLower: 0 };
        const question = JSON.stringify([mechanisms, delta]);
        if (priced?.question !== question) priced = { question, answer: this.epsilonOf(mechanisms, delta) };
        return priced.answer;
      },
      delta: (epsilon) => {
        if (!(epsilon >= 0)) throw new PrivacyError(`epsilon must be 0 or more, got ${epsilon}`);
        if (spent.withoutPrivacy) return { epsilon, delta: 1, accountant: this.name };
        const mechanisms = spent.mechanisms();
        if (mechanisms.length === 0) return { epsilon, delta: 0, accountant: this.name };
        return this.deltaOf(mechanisms, epsilon);
      },
    };
  }
}
