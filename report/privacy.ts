import type { EpsilonStatement, PrivacyAccountant } from '../privacy/accountant.ts';
import type { ClippingSpec } from '../privacy/clipping.ts';
import { type PrivacyConfig, type ResolvedPrivacy, resolvePrivacy } from '../privacy/config.ts';
import { noiseConventions } from '../privacy/conventions.ts';
import { ADD_OR_REMOVE, type Adjacency } from '../privacy/events.ts';
import { type ExtrapolatedEpsilon, extrapolate } from '../privacy/extrapolation.ts';
import { type LedgerEntry, ledgerEntry } from '../privacy/ledger.ts';
import type { NoiseSource } from '../privacy/noise.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { significant } from './format.ts';
import { type RoundNoise, roundNoise, sameNoise } from './round-noise.ts';

/** The guarantee of a run. Epsilon, q, z and T are those of the ledger, never copied from elsewhere. */
export interface PrivacySection {
  readonly guaranteed: true;
  readonly mechanism: 'gaussian';
  readonly adjacency: Adjacency;
  readonly epsilon: number;
  readonly delta: number;
  readonly accountant: string;
  /** RDP order and conversion behind epsilon; null when no step has run. */
  readonly order: number | null;
  readonly conversion: EpsilonStatement['conversion'];
  /** T: central steps in the ledger. */
  readonly steps: number;
  readonly sampling: {
    readonly kind: 'poisson';
    /** q */
    readonly rate: number;
    readonly population: number;
    readonly expectedCohort: number;
  };
  readonly clipping: ClippingSpec;
  readonly noise: {
    readonly source: NoiseSource;
    /** z: on the sum, in units of the clipping bound; what the accountant uses. */
    readonly multiplier: number;
    /** The same noise on the average (the paper's σ_DP), in units of the clipping bound. */
    readonly sigmaDp: number;
    /** The same noise on each client's delta, in units of the clipping bound. */
    readonly sigmaClient: number;
    /** Standard deviation of each coordinate of the sum, z·C; with groups, what equal noise on all layers would have. */
    readonly standardDeviationOnSum: number;
    /** Groups of layers with noise of their own; the last, without names, is all other layers. Together they amount to `multiplier`. */
    readonly groups?: readonly { readonly layers: readonly string[]; readonly multiplier: number }[];
  };
  /** What the guarantee rests on and what it leaves out, one sentence each. */
  readonly caveats: readonly string[];
}

/** A run without a guarantee, and why it has none. */
export interface NoPrivacySection {
  readonly guaranteed: false;
  readonly reason: string;
  readonly caveats: readonly string[];
}

/** What the privacy statement is made from. */
export interface PrivacyRecord {
  readonly privacy: PrivacyConfig;
  readonly population: number;
  readonly expectedCohort: number;
  /** What over-selection makes of it; default: the expected cohort. */
  readonly sampledCohort?: number;
  /** Whether sampled clients could drop out, on simulated devices. */
  readonly simulated?: boolean;
  readonly seedModel: boolean;
  /** Whether the first weights came from the user's own ONNX file. */
  readonly startedFromFile?: boolean;
  /** What a user of this data set is, where it is not a person. */
  readonly userMeaning?: string | undefined;
  readonly ledger: readonly LedgerEntry[];
}

/** The privacy statement of a run, with epsilon computed anew from its ledger. */
export function privacySection(
  record: PrivacyRecord,
  accountant: PrivacyAccountant = new RdpAccountant(),
): PrivacySection | NoPrivacySection {
  const { privacy, ledger, population, expectedCohort } = record;
  const settings = resolvePrivacy(privacy, record);
  const without = (reason: string): NoPrivacySection => ({
    guaranteed: false,
    reason,
    caveats: [
      'Anything the models memorised of single users may be found in them; do not release them for real users.',
    ],
  });
  if (settings.mechanism === 'none')
    return without('privacy.mechanism is none: client deltas were summed without noise.');
  const steps = ledger.map(({ event }) => roundNoise(event));
  if (steps.includes(null)) return without('The ledger has steps that are not Poisson-sampled Gaussian noise.');
  const { epsilon, order, conversion, accountant: name } = accountant.epsilon(ledger, settings.delta);
  if (!Number.isFinite(epsilon)) return without('The noise is too small for any finite epsilon.');

  const [first] = steps;
  const multiplier = first?.multiplier ?? settings.noiseMultiplier ?? 0;
  const rate = first?.rate ?? settings.samplingRate;
  const shown = { multiplier, rate };
  const uniform = steps.every((step) => step !== null && sameNoise(step, shown));
  const { sigmaDp, sigmaClient } = noiseConventions({ multiplier }, expectedCohort);
  return {
    guaranteed: true,
    mechanism: 'gaussian',
    adjacency: ADD_OR_REMOVE,
    epsilon,
    delta: settings.delta,
    accountant: name,
    order,
    conversion,
    steps: ledger.length,
    sampling: { kind: 'poisson', rate, population, expectedCohort },
    clipping: settings.clipping,
    noise: {
      source: settings.noiseSource,
      multiplier,
      sigmaDp,
      sigmaClient,
      standardDeviationOnSum: multiplier * settings.clipping.bound,
      ...(first?.groups.length
        ? {
            groups: first.groups.map((z, g) => ({ layers: settings.noiseGroups?.[g]?.layers ?? [], multiplier: z })),
          }
        : {}),
    },
    caveats: [
      ...ledgerCaveats(ledger, uniform, shown, settings),
      ...settings.warnings.map(sentence),
      ...protectionCaveat(epsilon),
      noiseSourceCaveat(settings.noiseSource),
      'Noise is added centrally: the server and its workers are trusted and see the deltas of single clients; the guarantee is against everybody who sees the released models of all rounds.',
      startCaveat(record),
      ...(record.simulated ? dropoutCaveats(record) : []),
      ...(record.userMeaning === undefined ? [] : [sentence(record.userMeaning)]),
      'Hyper-parameter tuning is not accounted: every further run on the same users adds to their privacy loss.',
      'Figures marked as not covered (losses, norms, cohort sizes, timing) were released without noise and are outside the guarantee.',
    ],
  };
}

/** What dropout does to the guarantee. */
function dropoutCaveats({ expectedCohort, sampledCohort = expectedCohort }: PrivacyRecord): string[] {
  const sampled =
    sampledCohort === expectedCohort
      ? ''
      : ` Over-selection is accounted: q is ${significant(sampledCohort)} / K, not ${significant(expectedCohort)} / K.`;
  return [
    `Epsilon counts every sampled client as if its delta had been summed: clients that were unavailable, dropped out or missed the deadline make it no smaller, and noise, added once by the server, is not less for their absence.${sampled}`,
    'This holds because a client drops out for reasons of its own, never because of other clients: a deployment must not end rounds as soon as enough results have come, nor sample only among available devices without accounting that higher rate.',
  ];
}

/**
 * Epsilon of the deployments that `privacy.extrapolate` asks about, with the run's own noise on the average, steps and delta;
 * none without a guarantee to extrapolate from.
 */
export function extrapolations(
  record: PrivacyRecord,
  section: PrivacySection | NoPrivacySection,
): readonly ExtrapolatedEpsilon[] {
  if (!section.guaranteed || section.steps === 0) return [];
  const run = {
    noiseMultiplier: section.noise.multiplier,
    expectedCohort: record.expectedCohort,
    overSelection: (record.sampledCohort ?? record.expectedCohort) / record.expectedCohort,
    population: record.population,
    rounds: section.steps,
    delta: section.delta,
  };
  return record.privacy.extrapolate.map((target) => extrapolate(run, target));
}

function ledgerCaveats(
  ledger: readonly LedgerEntry[],
  uniform: boolean,
  { multiplier, rate }: Pick<RoundNoise, 'multiplier' | 'rate'>,
  settings: ResolvedPrivacy,
): string[] {
  const caveats: string[] = [];
  if (!uniform) {
    caveats.push(
      'The ledger has steps with different noise or sampling: epsilon accounts each as it was, the figures shown are those of the first.',
    );
  }
  if (!sameNoise({ multiplier, rate }, { multiplier: settings.noiseMultiplier ?? 0, rate: settings.samplingRate })) {
    caveats.push(
      `The ledger (z = ${significant(multiplier)}, q = ${significant(rate)}) disagrees with config.yaml (z = ${significant(settings.noiseMultiplier ?? 0)}, q = ${significant(settings.samplingRate)}): epsilon follows the ledger.`,
    );
  }
  const repeated = ledger.length - new Set(ledger.map(({ round }) => round)).size;
  if (repeated > 0) {
    caveats.push(`${repeated} central steps ran again after an interruption; every run of a step is accounted.`);
  }
  return caveats;
}

/** Above it formal guarantees count as weak (Ponomareva et al. 2023, "How to DP-fy ML", tier 3). */
const WEAK_EPSILON = 10;

function protectionCaveat(epsilon: number): string[] {
  if (epsilon <= WEAK_EPSILON) return [];
  return [
    `An epsilon above ${WEAK_EPSILON} is a weak formal guarantee: it bounds what is learnt about a user only loosely.`,
  ];
}

/** Whether one more round like the configured ones would exceed the run's budget. */
export function budgetIsSpent(record: PrivacyRecord, accountant: PrivacyAccountant = new RdpAccountant()): boolean {
  const { budget } = record.privacy;
  if (budget === undefined) return false;
  const next = ledgerEntry(record.ledger.length + 1, resolvePrivacy(record.privacy, record).roundEvent);
  return accountant.epsilon([...record.ledger, next], budget.delta).epsilon > budget.epsilon;
}

function startCaveat({ seedModel, startedFromFile }: PrivacyRecord): string {
  if (startedFromFile) {
    return 'Training started from the weights of an ONNX file. The guarantee does not cover the data they were trained on; if those came from these users, their privacy loss adds to this one.';
  }
  return seedModel
    ? 'The seed model was trained on public examples, which this guarantee does not cover.'
    : 'Training started from random weights; no other data entered it.';
}

function noiseSourceCaveat(source: NoiseSource): string {
  return source === 'seeded'
    ? 'Noise and cohorts are drawn from the seed in config.yaml, so that the run can be repeated: whoever knows the seed can take the noise off again. The guarantee describes the mechanism; for a model that is released set noiseSource: cryptographic.'
    : 'Noise and cohorts came from the cryptographic generator of the operating system and were not kept: nobody can repeat the run, take the noise off, or tell from the seed who took part.';
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
