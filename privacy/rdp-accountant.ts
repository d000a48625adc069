import type { DeltaStatement, EpsilonStatement } from './accountant.ts';
import { EventAccountant } from './event-accountant.ts';
import { mechanismRdp } from './mechanism-rdp.ts';
import type { Mechanism } from './mechanisms.ts';
import { rdpToDelta, rdpToEpsilon } from './rdp-conversion.ts';
import type { Repeated } from './spent.ts';

/** The default orders of Opacus: 1.1, 1.2, …, 10.9, 12, 13, …, 63. */
export const OPACUS_ORDERS: readonly number[] = Object.freeze([
  ...Array.from({ length: 99 }, (_, i) => 1 + (i + 1) / 10),
  ...Array.from({ length: 52 }, (_, i) => i + 12),
]);

/** Denser near 1, where little noise needs them, and up to 1024, where much noise does. Takes some three times as long. */
export const DENSE_ORDERS: readonly number[] = Object.freeze([
  ...Array.from({ length: 20 }, (_, i) => 1 + 2 ** ((i - 24) / 2)).filter((order) => order < 1.1),
  ...Array.from({ length: 396 }, (_, i) => 1 + (i + 4) / 40),
  ...Array.from({ length: 53 }, (_, i) => i + 11),
  ...Array.from({ length: 32 }, (_, i) => Math.round(64 * 2 ** ((i + 1) / 8))),
]);

/** The coarser orders that reproduce the printed tables of arXiv:2310.00098 (App. H.4 names the order of each epsilon). */
export const PAPER_ORDERS: readonly number[] = Object.freeze([
  1.1, 1.3, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 25,
]);

/**
 * Rényi-DP accountant (moments accountant) for every mechanism. RDP adds up over rounds, so each distinct mechanism is priced
 * once, whatever the number of rounds.
 */
export class RdpAccountant extends EventAccountant {
  readonly name = 'rdp';
  readonly orders: readonly number[];
  readonly #cache = new Map<string, Float64Array>();

  /** @param orders Rényi orders above 1; more orders give a tighter bound, never a wrong one */
  constructor(orders: readonly number[] = OPACUS_ORDERS) {
    super();
    this.orders = [...orders];
  }

  refusal(): null {
    return null;
  }

  epsilonOf(spent: readonly Repeated[], delta: number): EpsilonStatement {
    const converted = rdpToEpsilon(this.#total(spent), this.orders, delta);
    return { ...converted, epsilonLower: null, delta, accountant: this.name };
  }

  deltaOf(spent: readonly Repeated[], epsilon: number): DeltaStatement {
    return { epsilon, delta: rdpToDelta(this.#total(spent), this.orders, epsilon).delta, accountant: this.name };
  }

  #total(spent: readonly Repeated[]): Float64Array {
    const rdp = new Float64Array(this.orders.length);
    for (const { mechanism, count } of spent) {
      const one = this.#rdp(mechanism);
      for (let i = 0; i < rdp.length; i++) rdp[i] += count * one[i];
    }
    return rdp;
  }

  #rdp(mechanism: Mechanism): Float64Array {
    const key = JSON.stringify(mechanism);
    let rdp = this.#cache.get(key);
    if (rdp === undefined) {
      rdp = mechanismRdp(mechanism, this.orders);
      this.#cache.set(key, rdp);
    }
    return rdp;
  }
}
