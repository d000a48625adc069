import { PrivacyError } from '../errors.ts';
import {
  type EpsilonStatement,
  type PrivacyAccountant,
  type RunningTotal,
  type Support,
  totalEpsilon,
} from './accountant.ts';
import type { LedgerEntry, PrivacyEvent } from './ledger.ts';
import { rdpSampledGaussian } from './rdp.ts';
import { rdpToEpsilon } from './rdp-conversion.ts';
import { type Mechanism, sampledGaussianSupport, visit } from './sampled-gaussians.ts';

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
 * Rényi-DP accountant (moments accountant) for Poisson-sampled Gaussian events and their compositions.
 * RDP adds up over rounds, so each distinct mechanism is priced once, whatever the number of rounds.
 */
export class RdpAccountant implements PrivacyAccountant {
  readonly name = 'rdp';
  readonly orders: readonly number[];
  readonly #cache = new Map<string, Float64Array>();

  /** @param orders Rényi orders above 1; more orders give a tighter bound, never a wrong one */
  constructor(orders: readonly number[] = OPACUS_ORDERS) {
    this.orders = [...orders];
  }

  supports(event: PrivacyEvent): Support {
    return sampledGaussianSupport(event);
  }

  epsilon(spent: PrivacyEvent | readonly LedgerEntry[], delta: number): EpsilonStatement {
    return totalEpsilon(this, spent, delta);
  }

  start(): RunningTotal {
    const counts = new Map<string, { readonly rdp: Float64Array; count: number }>();
    let withoutPrivacy = false;
    return {
      add: (event) => {
        const support = this.supports(event);
        if (!support.supported) throw new PrivacyError(`the RDP accountant cannot account ${support.event}`);
        visit(event, 1, (mechanism, count) => {
          if (mechanism === 'nonPrivate') {
            withoutPrivacy = true;
            return;
          }
          const key = `${mechanism.samplingRate} ${mechanism.noiseMultiplier}`;
          const known = counts.get(key);
          if (known) known.count += count;
          else counts.set(key, { rdp: this.#rdp(key, mechanism), count });
        });
      },
      epsilon: (delta) => {
        const rdp = new Float64Array(this.orders.length).fill(withoutPrivacy ? Number.POSITIVE_INFINITY : 0);
        for (const part of counts.values()) for (let i = 0; i < rdp.length; i++) rdp[i] += part.count * part.rdp[i];
        const converted = rdpToEpsilon(rdp, this.orders, delta);
        const nothing = counts.size === 0 && !withoutPrivacy;
        return nothing
          ? { epsilon: 0, epsilonLower: null, delta, order: null, conversion: null, accountant: this.name }
          : { ...converted, epsilonLower: null, delta, accountant: this.name };
      },
    };
  }

  #rdp(key: string, { samplingRate, noiseMultiplier }: Mechanism): Float64Array {
    let rdp = this.#cache.get(key);
    if (rdp === undefined) {
      rdp = Float64Array.from(this.orders, (order) => rdpSampledGaussian(samplingRate, noiseMultiplier, order));
      this.#cache.set(key, rdp);
    }
    return rdp;
  }
}
