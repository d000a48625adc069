import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import type { RunningTotal } from '../privacy/accountant.ts';
import { type ResolvedPrivacy, resolvePrivacy } from '../privacy/config.ts';
import { type LedgerEntry, ledgerEntry } from '../privacy/ledger.ts';
import { cryptographicNoise, type NoiseMechanism, seededNoise } from '../privacy/noise.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { type RoundMechanism, roundMechanism } from '../privacy/round-mechanism.ts';
import { secureStream } from '../random/secure.ts';
import { namedStream, type RandomStream } from '../random/stream.ts';
import { type RunConfig, sampledCohort } from './run-config.ts';

/** Privacy of one run: its mechanism, the grid of its sums and the running total of what it has spent. */
export class RunPrivacy {
  readonly settings: ResolvedPrivacy;
  readonly #mechanism: RoundMechanism;
  readonly #total: RunningTotal;
  /** What will be spent after the next round; null without a budget. */
  readonly #next: RunningTotal | null;
  readonly #budget: RunConfig['privacy']['budget'];
  readonly #seed: number | string;
  #spent = 0;

  /** @throws PrivacyError when settings and population do not make a private run */
  constructor(config: RunConfig, layout: ParameterLayout, population: number) {
    const { expectedCohort } = config.federation;
    this.settings = resolvePrivacy(config.privacy, {
      expectedCohort,
      population,
      sampledCohort: sampledCohort(config),
    });
    const streams = this.settings.noiseSource === 'seeded' ? seededNoise(config.seed) : cryptographicNoise();
    this.#mechanism = roundMechanism(this.settings, layout, streams);
    const accountant = new RdpAccountant();
    this.#total = accountant.start();
    this.#budget = config.privacy.budget;
    this.#next = this.#budget === undefined ? null : accountant.start();
    this.#next?.add(this.settings.roundEvent);
    this.#seed = config.seed;
  }

  /** The ledger entry of a central step; it is the same whoever was sampled. */
  entry(round: number): LedgerEntry {
    return ledgerEntry(round, this.#mechanism.event(round));
  }

  /** The grid on which client deltas are summed; workers and server must use the same. */
  get grid(): ExactGrid {
    return this.#mechanism.grid;
  }

  get noise(): NoiseMechanism {
    return this.#mechanism.noise;
  }

  /** Largest norm that one client's clipped delta has on the grid; undefined without clipping. */
  get clientNorm(): number | undefined {
    const { mode, bound } = this.settings.clipping;
    return mode === 'none' ? undefined : bound * this.grid.perUnit;
  }

  /** Counts an entry of the ledger as spent. */
  spend(entry: LedgerEntry): void {
    this.#total.add(entry.event);
    this.#next?.add(entry.event);
    this.#spent += 1;
  }

  /**
   * Whether one more round stays within `privacy.budget`, by the accountant that reports epsilon. All that the ledger holds counts,
   * also rounds that ran twice, so neither resuming nor a crash gives any of it back.
   */
  affordsNextRound(): boolean {
    if (this.#budget === undefined || this.#next === null) return true;
    return this.#next.epsilon(this.#budget.delta).epsilon <= this.#budget.epsilon;
  }

  /**
   * Draws the cohort of the next central step. Amplification by sampling holds only against those who cannot tell who was sampled,
   * so a release draws cohorts, like its noise, from the cryptographic source. A step repeated after a crash draws anew there.
   */
  cohortStream(): RandomStream {
    if (this.settings.noiseSource === 'cryptographic') return secureStream();
    return namedStream(this.#seed, 'cohort', this.#spent + 1);
  }

  /** Epsilon at the configured delta of all that is spent; null when training runs without noise. */
  get epsilon(): number | null {
    if (this.settings.mechanism === 'none') return null;
    return this.#total.epsilon(this.settings.delta).epsilon;
  }
}
