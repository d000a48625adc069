import { PrivacyError } from '../errors.ts';
import type { ExactGrid } from '../params/grid.ts';
import type { ParameterLayout } from '../params/layout.ts';
import type { RunningTotal } from '../privacy/accountant.ts';
import { AdaptiveClipping } from '../privacy/adaptive-clipping.ts';
import { LOOK_AHEAD, PrivacyBudget } from '../privacy/budget.ts';
import type { ClippingSpec } from '../privacy/clipping.ts';
import { cyclicCohort, shuffledOrder } from '../privacy/cyclic-sampling.ts';
import { selfComposed } from '../privacy/events.ts';
import { fixedSizeSample } from '../privacy/fixed-size-sampling.ts';
import { type LedgerEntry, ledgerEntry } from '../privacy/ledger.ts';
import { cryptographicNoise, IndependentNoise, type NoiseMechanism, seededNoise } from '../privacy/noise.ts';
import { NoiseAhead } from '../privacy/noise-ahead.ts';
import { type ResolvedPrivacy, resolvePrivacy } from '../privacy/resolve.ts';
import { type RoundMechanism, roundMechanism, withBounds } from '../privacy/round-mechanism.ts';
import { runAccountant } from '../privacy/run-accountant.ts';
import { shareSteps, topUp } from '../privacy/shared-noise.ts';
import { secureStream } from '../random/secure.ts';
import { namedStream } from '../random/stream.ts';
import type { RoundTotals } from './aggregation.ts';
import type { PrivacyState } from './checkpoint.ts';
import { Participation } from './participation.ts';
import type { RoundTerms } from './rounds.ts';
import { type RunConfig, runScale } from './run-config.ts';
import { sampleCohort } from './sampling.ts';

/** Noise of more coordinates is not drawn ahead: memory is then worth more than the time. */
const mostAhead = 2 ** 22;

/** Privacy of one run: its mechanism, the grid of its sums and the running total of what it has spent. */
export class RunPrivacy {
  readonly settings: ResolvedPrivacy;
  #mechanism: RoundMechanism;
  /** Where clipping bounds move. */
  readonly #adaptive: AdaptiveClipping | null;
  readonly #mechanismNow: () => RoundMechanism;
  readonly #total: RunningTotal;
  readonly #budget: PrivacyBudget | null;
  readonly #accountant: string;
  readonly #rounds: number;
  readonly #seed: number | string;
  /** With local noise, where the guarantee depends on how often a user took part. */
  readonly #participation: Participation | null;
  readonly #scaledNoise: (fraction: number) => NoiseMechanism;
  readonly #size: number;
  /** One for all rounds: fresh memory would be mapped anew, page by page. */
  #memoryAhead: Float64Array | undefined;
  #ahead: NoiseAhead | undefined;
  /** The circular order of users, when first needed. */
  #order: Uint32Array | null = null;
  #growth = 1;
  #participations = 0;
  #spent = 0;

  /** @throws PrivacyError when settings and population do not make a private run */
  constructor(config: RunConfig, layout: ParameterLayout, population: number) {
    this.settings = resolvePrivacy(config.privacy, runScale(config, population));
    this.#rounds = config.federation.rounds;
    this.#size = layout.size;
    const streams = this.settings.noiseSource === 'seeded' ? seededNoise(config.seed) : cryptographicNoise();
    const { settings } = this;
    const { adaptive } = settings;
    this.#adaptive = adaptive === undefined ? null : new AdaptiveClipping(settings.clipping, layout, adaptive);
    this.#mechanismNow = () => {
      const now = this.#adaptive ? withBounds(settings, this.#adaptive) : settings;
      return roundMechanism(now, layout, streams);
    };
    this.#mechanism = this.#mechanismNow();
    const { adjacency, noisePlacement } = this.settings;
    const accountant = runAccountant(config.privacy.accountant, [this.#mechanism.event(1)], adjacency);
    this.#accountant = accountant.name;
    this.#total = accountant.start(adjacency);
    const { budget } = config.privacy;
    this.#budget = budget === undefined ? null : new PrivacyBudget(budget, accountant, adjacency);
    this.#seed = config.seed;
    this.#participation = noisePlacement === 'local' ? new Participation(population) : null;
    this.#scaledNoise = (fraction) => {
      const { noise, grid } = this.#mechanism;
      const scales = layout.layers.map((_, layer) => fraction * noise.standardDeviation(1, layer));
      return new IndependentNoise(this.#mechanism.clientNoise?.kind ?? 'gaussian', layout, grid, scales, streams);
    };
  }

  /**
   * The ledger entry of a central step; it is the same whoever was sampled. With local noise it counts the participations by which the
   * busiest user's number has grown, 0 or 1: together the entries say what that user has spent, and nobody has spent more.
   */
  entry(round: number): LedgerEntry {
    const event = this.#mechanism.event(round);
    return ledgerEntry(round, this.#participation ? selfComposed(event, this.#growth) : event, this.settings.adjacency);
  }

  /** Whether an entry of the ledger is one that these settings make. */
  mayWrite(entry: LedgerEntry): boolean {
    const event = this.#mechanism.event(entry.round);
    const events = this.#participation ? [selfComposed(event, 0), selfComposed(event, 1)] : [event];
    const text = JSON.stringify(entry);
    return events.some((each) => JSON.stringify(ledgerEntry(entry.round, each, this.settings.adjacency)) === text);
  }

  /** How client deltas are clipped in the round under way. */
  get clipping(): ClippingSpec {
    return this.#mechanism.clipping;
  }

  /** The grid on which client deltas are summed; workers and server must use the same. */
  get grid(): ExactGrid {
    return this.#mechanism.grid;
  }

  /** Draws the server's noise of a round, whose clients are still to train or training, if it does not depend on what comes back. */
  drawAhead(round: number): void {
    const { noise } = this.#mechanism;
    const known = this.settings.noisePlacement === 'central' && noise instanceof IndependentNoise;
    this.#ahead = undefined;
    if (!known || this.#size > mostAhead) return;
    this.#memoryAhead ??= new Float64Array(this.#size);
    this.#ahead = new NoiseAhead(noise, this.#memoryAhead, round);
  }

  /**
   * The noise that the server adds to the sum of a round.
   * @param cohort members who were asked
   * @param contributed members whose delta is in the sum
   */
  serverNoise(cohort: number, contributed: number): NoiseMechanism {
    const { noise } = this.#mechanism;
    const ahead = this.#ahead;
    // It is of this round, and of the mechanism before bounds move.
    this.#ahead = undefined;
    switch (this.settings.noisePlacement) {
      case 'central':
        return ahead ?? noise;
      case 'shares':
        return topUp(noise, this.#scaledNoise, cohort, contributed);
      case 'local':
        return { addTo: () => {}, standardDeviation: (round, layer) => noise.standardDeviation(round, layer) };
    }
  }

  /** Standard deviation of all the noise on each coordinate of a layer, where it is the same in every round. */
  deviation(layer: number): number {
    return this.#mechanism.noise.standardDeviation(1, layer);
  }

  /** Under what terms a cohort trains. */
  terms(cohort: readonly number[]): RoundTerms {
    const { clipping, grid, clientNoise } = this.#mechanism;
    const clientNorm = clipping.mode === 'none' ? undefined : clipping.bound * grid.perUnit;
    if (this.#adaptive) return { settings: { clipping, gridStep: grid.step }, limits: { clientNorm } };
    if (clientNoise === null || cohort.length === 0) return { limits: { clientNorm } };
    const { noisePlacement, noiseSource } = this.settings;
    const local = noisePlacement === 'local';
    const steps = local ? clientNoise.steps : shareSteps(clientNoise.steps, cohort.length);
    return {
      settings: { clipping, gridStep: grid.step, noise: { kind: clientNoise.kind, steps, source: noiseSource, local } },
      limits: { clientNorm, clientNoise: steps },
    };
  }

  /**
   * Whether a round is released when its cohort trains, and not when the server adds its noise: with local noise the server itself is one of those
   * that the guarantee is against, and has seen messages also of a round that it never finished.
   */
  get releasedByTraining(): boolean {
    return this.settings.noisePlacement === 'local';
  }

  /** What rounds after `round` need of earlier ones, for its checkpoint. After the last, no noise is kept: with it, exact sums could be read from models. */
  state(round: number): PrivacyState {
    return {
      ...(this.#participation ? { participations: this.#participation.counts } : {}),
      ...(this.#adaptive ? { bounds: this.#adaptive.bounds } : {}),
      ...(round < this.#rounds ? this.#noiseState() : {}),
    };
  }

  /** Noise of earlier rounds that later ones take back, in steps of a grid, and the step. */
  #noiseState(): PrivacyState {
    const { noise, grid } = this.#mechanism;
    const kept = noise.state?.();
    return kept ? { ...kept, gridStep: Float64Array.of(grid.step) } : {};
  }

  /** @throws PrivacyError when noise was kept in other units: taken back as more or less than it was, it would hide nothing */
  #restoreNoise(state: PrivacyState, round: number): void {
    const { noise, grid } = this.#mechanism;
    if (noise.restore === undefined) return;
    if (state.gridStep?.[0] !== grid.step) {
      throw new PrivacyError(
        'the checkpoint keeps noise in units of another grid than this version of dpfl takes; go on with the version that wrote it, or start a new run',
      );
    }
    noise.restore(state, round);
  }

  /** The clipping bounds of the round under way, where they move: one, or one per layer. They are released with noise, as the model is. */
  get movingBounds(): readonly number[] | undefined {
    return this.#adaptive ? [...this.#adaptive.bounds] : undefined;
  }

  /** Ends a round: bounds move by what its clients were clipped. */
  finish(round: number, { contributed, clippedCounts }: Pick<RoundTotals, 'contributed' | 'clippedCounts'>): void {
    if (this.#adaptive === null) return;
    const { noiseSource, expectedCohort } = this.settings;
    const stream = noiseSource === 'cryptographic' ? secureStream() : namedStream(this.#seed, 'count-noise', round);
    this.#adaptive.update(contributed, clippedCounts, expectedCohort, stream);
    this.#mechanism = this.#mechanismNow();
  }

  /**
   * Goes on from a checkpoint, when the ledger's entries have been counted as spent.
   * @param round of the checkpoint; the ledger may hold later ones
   * @throws PrivacyError when the checkpoint lacks what later rounds need
   */
  restore(state: PrivacyState, round: number): void {
    if (this.#adaptive) {
      this.#adaptive.restore(state.bounds);
      this.#mechanism = this.#mechanismNow();
    }
    if (this.settings.correlated !== null && this.#spent > round) {
      throw new PrivacyError(
        `the ledger holds round ${round + 1}, which the checkpoint does not: noise that rounds share cannot be drawn twice; start a new run`,
      );
    }
    if (round < this.#rounds) this.#restoreNoise(state, round);
    this.#participation?.restore(state.participations, this.#participations, this.#spent - round);
  }

  /** Counts an entry of the ledger as spent. */
  spend(entry: LedgerEntry): void {
    this.#total.add(entry.event);
    this.#budget?.spend(entry.event);
    this.#spent += 1;
    if (entry.event.kind === 'selfComposed') this.#participations += entry.event.count;
  }

  /**
   * Whether central step `round` stays within `privacy.budget`, by the accountant that reports epsilon. All that the ledger holds counts,
   * also rounds that ran twice, so neither resuming nor a crash gives any of it back.
   */
  affords(round: number): boolean {
    if (this.#budget === null) return true;
    const rounds = Math.max(1, Math.min(LOOK_AHEAD, this.#rounds - round + 1));
    return this.#budget.affords(Array.from({ length: rounds }, (_, ahead) => this.#mechanism.event(round + ahead)));
  }

  /**
   * The cohort of the next central step. Amplification by sampling holds only against those who cannot tell who was sampled,
   * so a release draws cohorts, like its noise, from the cryptographic source. A step repeated after a crash draws anew there.
   * Cyclic cohorts are no secret: nothing is gained from them.
   */
  cohort(round: number): readonly number[] {
    const { noiseSource, population, sampledCohort, sampling } = this.settings;
    if (sampling === 'cyclic') {
      this.#order ??= shuffledOrder(population, namedStream(this.#seed, 'cohort-order'));
      return cyclicCohort(this.#order, sampledCohort, round);
    }
    const random =
      noiseSource === 'cryptographic' ? secureStream() : namedStream(this.#seed, 'cohort', this.#spent + 1);
    const draw = sampling === 'fixedSize' ? fixedSizeSample : sampleCohort;
    const members = draw(population, sampledCohort, random);
    if (this.#participation) this.#growth = this.#participation.add(members);
    return members;
  }

  /** Whether epsilon takes long enough to compute that it is left to the rounds that are evaluated. */
  get slowToAccount(): boolean {
    return this.#accountant === 'pld';
  }

  /** Computes, while clients train, what epsilon will be after this round, where that takes long. Their cohort has been drawn. */
  accountAhead(round: number): void {
    if (this.settings.mechanism === 'none' || !this.slowToAccount) return;
    this.#total.epsilon(this.settings.delta, this.entry(round).event);
  }

  /** Epsilon at the configured delta of all that is spent; null when training runs without noise. */
  get epsilon(): number | null {
    if (this.settings.mechanism === 'none') return null;
    return this.#total.epsilon(this.settings.delta).epsilon;
  }
}
