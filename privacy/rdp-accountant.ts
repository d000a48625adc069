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
import { rdpSampledGaussian } from './rdp.ts';
import { rdpToEpsilon } from './rdp-conversion.ts';
import { Spent, supportOf } from './spent.ts';

/** The default orders of Opacus: 1.1, 1.2, …, 10.9, 12, 13, …, 63. */
export const OPACUS_ORDERS: readonly number[] = Object.freeze([
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...Array.from({ length: 52 }, (_, i) => i + 12),
]);

/** The coarser orders that reproduce the printed tables of arXiv:2310.00098 (App. H.4 names the order of each epsilon). */
export const PAPER_ORDERS: readonly number[] = Object.freeze([
  1.1, 1.3, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 25,
]);

/**
 * Rényi-DP accountant (moments accountant). RDP adds up over rounds, so each distinct mechanism is priced once, whatever the
 * number of rounds.
 */
export class RdpAccountant implements PrivacyAccountant {
  readonly name = 'rdp';
  readonly orders: readonly number[];
  readonly #cache = new Map<string, Float64Array>();

  /** @param orders Rényi orders above 1; more orders give a tighter bound, never a wrong one */
  constructor(orders: readonly number[] = OPACUS_ORDERS) {
    this.orders = [...orders];
  }

  supports(event: PrivacyEvent, adjacency: Adjacency = ADD_OR_REMOVE): Support {
    return supportOf(event, adjacency, refusal);
  }

  epsilon(spent: PrivacyEvent | readonly LedgerEntry[], delta: number, adjacency?: Adjacency): EpsilonStatement {
    return totalOf(this, spent, adjacency).epsilon(delta);
  }

  start(adjacency: Adjacency = ADD_OR_REMOVE): RunningTotal {
    const spent = new Spent(adjacency);
    return {
      add: (event) => {
        const support = this.supports(event, adjacency);
        if (!support.supported) throw new PrivacyError(`the RDP accountant cannot account ${support.event}`);
        spent.add(event);
      },
      epsilon: (delta) => {
        const parts = spent.mechanisms();
        const rdp = new Float64Array(this.orders.length).fill(spent.withoutPrivacy ? Number.POSITIVE_INFINITY : 0);
        for (const { mechanism, count } of parts) {
          const one = this.#rdp(mechanism);
          for (let i = 0; i < rdp.length; i++) rdp[i] += count * one[i];
        }
        const converted = rdpToEpsilon(rdp, this.orders, delta);
        const nothing = parts.length === 0 && !spent.withoutPrivacy;
        return nothing
          ? { epsilon: 0, epsilonLower: null, delta, order: null, conversion: null, accountant: this.name }
          : { ...converted, epsilonLower: null, delta, accountant: this.name };
      },
    };
  }

  #rdp(mechanism: Mechanism): Float64Array {
    const key = JSON.stringify(mechanism);
    let rdp = this.#cache.get(key);
    if (rdp === undefined) {
      rdp = Float64Array.from(this.orders, (order) => rdpOf(mechanism, order));
      this.#cache.set(key, rdp);
    }
    return rdp;
  }
}

function refusal({ kind }: Mechanism): string | null {
  return kind === 'gaussian' ? null : `'${kind}'`;
}

function rdpOf(mechanism: Mechanism, order: number): number {
  if (mechanism.kind !== 'gaussian') throw new PrivacyError(`no RDP of '${mechanism.kind}'`);
  return rdpSampledGaussian(mechanism.samplingRate, mechanism.noiseMultiplier, order);
}
