import type { EpsilonStatement, PrivacyAccountant } from '../privacy/accountant.ts';
import type { AdaptiveSettings } from '../privacy/adaptive-clipping.ts';
import type { ClippingSpec } from '../privacy/clipping.ts';
import type { CohortSampling, NoisePlacement, PrivacyConfig } from '../privacy/config.ts';
import { noiseConventions } from '../privacy/conventions.ts';
import { type Adjacency, mechanismStep, type PrivacyEvent } from '../privacy/events.ts';
import { type ExtrapolatedEpsilon, extrapolate } from '../privacy/extrapolation.ts';
import { type LedgerEntry, ledgerEntry } from '../privacy/ledger.ts';
import type { NoiseSource } from '../privacy/noise.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { type ResolvedPrivacy, resolvePrivacy } from '../privacy/resolve.ts';
import { runAccountant } from '../privacy/run-accountant.ts';
import type { Weighting } from '../privacy/weighting.ts';
import { significant } from './format.ts';
import { type RoundNoise, roundNoise, sameNoise } from './round-noise.ts';

/** The guarantee of a run. Epsilon, q, z and T are those of the ledger, never copied from elsewhere. */
export interface PrivacySection {
  readonly guaranteed: true;
  readonly mechanism: RoundNoise['mechanism'];
  readonly adjacency: Adjacency;
  /** Upper bound. */
  readonly epsilon: number;
  /** Certified lower end of the same epsilon; null by RDP. */
  readonly epsilonLower: number | null;
  readonly delta: number;
  readonly accountant: string;
  /** Why RDP stands in for PLD. */
  readonly fallback?: string;
  /** The same by RDP, the accountant of most papers; null when `epsilon` is itself by RDP. */
  readonly moments: EpsilonStatement | null;
  /** RDP order and conversion behind epsilon; null when no step has run. */
  readonly order: number | null;
  readonly conversion: EpsilonStatement['conversion'];
  /** T: central steps in the ledger. */
  readonly steps: number;
  readonly sampling: SamplingSection;
  readonly clipping: ClippingSpec;
  /** How the bound moves from `clipping` on; absent when it stays. */
  readonly adaptive?: AdaptiveSettings;
  readonly noise: {
    readonly source: NoiseSource;
    readonly placement: NoisePlacement;
    /** z: on the sum, in units of the clipping bound; what the accountant uses. For laplace the scale b, not the standard deviation. */
    readonly multiplier: number;
    /** The same noise on the average (the paper's σ_DP), in units of the clipping bound. */
    readonly sigmaDp: number;
    /** The same noise on each client's delta, in units of the clipping bound. */
    readonly sigmaClient: number;
    /** Standard deviation of each coordinate of the sum, z·C; with groups, what equal noise on all layers would have; with adaptive bounds, for the first bound and all of z. */
    readonly standardDeviationOnSum: number;
    /** z of the sum and of the counts that move the clipping bounds, where these adapt; together they amount to `multiplier`. */
    readonly split?: { readonly deltas: number; readonly counts: number };
    /** Groups of layers with noise of their own; the last, without names, is all other layers. Together they amount to `multiplier`. */
    readonly groups?: readonly { readonly layers: readonly string[]; readonly multiplier: number }[];
  };
  /** What the guarantee rests on and what it leaves out, one sentence each. */
  readonly caveats: readonly string[];
}

/** Who took part, as far as the guarantee depends on it. */
export type SamplingSection =
  | {
      readonly kind: 'poisson';
      /** q */
      readonly rate: number;
      readonly population: number;
      readonly expectedCohort: number;
    }
  | {
      /** Local noise: the guarantee is for the user who took part most often, and better for all others. */
      readonly kind: 'participation';
      readonly mostParticipations: number;
      readonly epsilonPerParticipation: number;
      readonly population: number;
      readonly expectedCohort: number;
    }
  | {
      /** Exactly `cohort` users without replacement: the guarantee is for replacing one user. */
      readonly kind: 'fixedSize';
      readonly cohort: number;
      readonly population: number;
      readonly expectedCohort: number;
    }
  | {
      /** Cohorts of fixed size from a circular order; the guarantee is for noise that rounds share. */
      readonly kind: 'cyclic';
      /** Rounds between two participations of a user, at least. */
      readonly minSeparation: number;
      /** Of any user, over all planned rounds. */
      readonly maxParticipations: number;
      readonly population: number;
      readonly expectedCohort: number;
    };

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
  /** How cohorts are drawn; default: poisson. */
  readonly sampling?: CohortSampling;
  /** How much clients count; default: all the same. */
  readonly weighting?: Weighting | undefined;
  /** Whether sampled clients could drop out, on simulated devices. */
  readonly simulated?: boolean;
  readonly seedModel: boolean;
  /** Whether the first weights came from the user's own ONNX file. */
  readonly startedFromFile?: boolean;
  /** What a user of this data set is, where it is not a person. */
  readonly userMeaning?: string | undefined;
  readonly ledger: readonly LedgerEntry[];
  /** Planned central steps. */
  readonly rounds: number;
}

/** The privacy statement of a run, with epsilon computed anew from its ledger. */
export function privacySection(
  record: PrivacyRecord,
  accountant: PrivacyAccountant = accountantOf(record),
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
  if (steps.includes(null)) return without('The ledger has steps that are not noise on a random cohort.');
  const statement = accountant.epsilon(ledger, settings.delta, settings.adjacency);
  const { epsilon, epsilonLower, order, conversion, accountant: name, fallback } = statement;
  if (!Number.isFinite(epsilon)) return without('The noise is too small for any finite epsilon.');

  const [first] = steps;
  const planned = plannedNoise(settings);
  const shown = { multiplier: first?.multiplier ?? planned.multiplier, rate: first?.rate ?? planned.rate };
  const uniform = steps.every((step) => step !== null && sameNoise(step, shown));
  const local = settings.noisePlacement === 'local';
  const deviation = settings.mechanism === 'laplace' ? Math.SQRT2 * shown.multiplier : shown.multiplier;
  const conventions = noiseConventions(local ? { sigmaClient: deviation } : { multiplier: deviation }, expectedCohort);
  const { noiseMultiplier: deviationOnSum, sigmaDp, sigmaClient } = conventions;
  const cohorts = { population, expectedCohort };
  const { correlated } = settings;
  const sampling: SamplingSection = correlated
    ? {
        kind: 'cyclic',
        minSeparation: correlated.minSeparation,
        maxParticipations: correlated.maxParticipations,
        ...cohorts,
      }
    : local
      ? {
          kind: 'participation',
          mostParticipations: steps.reduce((sum, step) => sum + (step?.participations ?? 0), 0),
          epsilonPerParticipation: accountant.epsilon(settings.roundEvent, settings.delta, settings.adjacency).epsilon,
          ...cohorts,
        }
      : settings.sampling === 'fixedSize'
        ? { kind: 'fixedSize', cohort: settings.sampledCohort, ...cohorts }
        : { kind: 'poisson', rate: shown.rate, ...cohorts };
  return {
    guaranteed: true,
    mechanism: settings.mechanism,
    adjacency: ledger[0]?.adjacency ?? settings.adjacency,
    epsilon,
    epsilonLower,
    delta: settings.delta,
    accountant: name,
    ...(fallback === undefined ? {} : { fallback }),
    order,
    conversion,
    moments: name === 'rdp' ? null : new RdpAccountant().epsilon(ledger, settings.delta, settings.adjacency),
    steps: ledger.length,
    sampling,
    clipping: settings.clipping,
    ...(settings.adaptive ? { adaptive: settings.adaptive } : {}),
    noise: {
      source: settings.noiseSource,
      placement: settings.noisePlacement,
      multiplier: local ? deviationOnSum : shown.multiplier,
      sigmaDp,
      sigmaClient,
      standardDeviationOnSum: deviationOnSum * settings.clipping.bound,
      ...(settings.adaptive && first ? { split: { deltas: first.groups[0], counts: first.groups[1] } } : {}),
      ...(!settings.adaptive && first?.groups.length
        ? {
            groups: first.groups.map((z, g) => ({ layers: settings.noiseGroups?.[g]?.layers ?? [], multiplier: z })),
          }
        : {}),
    },
    caveats: [
      ...ledgerCaveats(ledger, uniform, shown, settings),
      ...settings.warnings.map(sentence),
      ...protectionCaveat(epsilon),
      noiseSourceCaveat(settings),
      PLACEMENT_CAVEATS[settings.noisePlacement],
      startCaveat(record),
      ...weightingCaveat(record),
      ...(record.simulated ? dropoutCaveats(record) : []),
      ...(record.userMeaning === undefined ? [] : [sentence(record.userMeaning)]),
      'Hyper-parameter tuning is not accounted: every further run on the same users adds to their privacy loss.',
      'Figures marked as not covered (losses, norms, cohort sizes, timing) were released without noise and are outside the guarantee.',
    ],
  };
}

/** Why noise is no smaller for those who drop out. */
const NOISE_OF_ABSENT: Readonly<Record<NoisePlacement, string>> = {
  central: 'noise, added once by the server, is not less for their absence',
  shares: 'the server adds the shares of noise that they did not send',
  local: 'every delta that was sent carries its own noise',
};

/** What dropout does to the guarantee. */
function dropoutCaveats({ privacy, expectedCohort, sampledCohort = expectedCohort }: PrivacyRecord): string[] {
  const { noisePlacement } = privacy;
  const sampled =
    sampledCohort === expectedCohort || noisePlacement === 'local'
      ? ''
      : ` Over-selection is accounted: q is ${significant(sampledCohort)} / K, not ${significant(expectedCohort)} / K.`;
  return [
    `Epsilon counts every sampled client as if its delta had been summed: clients that were unavailable, dropped out or missed the deadline make it no smaller, and ${NOISE_OF_ABSENT[noisePlacement]}.${sampled}`,
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
  if (!section.guaranteed || section.steps === 0 || section.sampling.kind !== 'poisson') return [];
  const run = {
    noiseMultiplier: section.noise.multiplier,
    expectedCohort: record.expectedCohort,
    overSelection: (record.sampledCohort ?? record.expectedCohort) / record.expectedCohort,
    population: record.population,
    rounds: section.steps,
    delta: section.delta,
  };
  const accountant = accountantOf(record);
  return record.privacy.extrapolate.map((target) => extrapolate(run, target, accountant));
}

function ledgerCaveats(
  ledger: readonly LedgerEntry[],
  uniform: boolean,
  shown: Pick<RoundNoise, 'multiplier' | 'rate'>,
  settings: ResolvedPrivacy,
): string[] {
  const caveats: string[] = [];
  if (!uniform) {
    caveats.push(
      'The ledger has steps with different noise or sampling: epsilon accounts each as it was, the figures shown are those of the first.',
    );
  }
  const planned = plannedNoise(settings);
  if (!sameNoise(shown, planned)) {
    caveats.push(
      `The ledger (z = ${significant(shown.multiplier)}, q = ${significant(shown.rate)}) disagrees with config.yaml (z = ${significant(planned.multiplier)}, q = ${significant(planned.rate)}): epsilon follows the ledger.`,
    );
  }
  const repeated = ledger.length - new Set(ledger.map(({ round }) => round)).size;
  if (repeated > 0) {
    caveats.push(`${repeated} central steps ran again after an interruption; every run of a step is accounted.`);
  }
  return caveats;
}

/** What the ledger should say by the configuration. */
function plannedNoise({ correlated, noisePlacement, noiseMultiplier, sigmaClient, samplingRate }: ResolvedPrivacy) {
  if (noisePlacement === 'local') return { multiplier: sigmaClient ?? 0, rate: 1 };
  if (correlated !== null) return { multiplier: noiseMultiplier ?? 0, rate: 1 };
  return { multiplier: noiseMultiplier ?? 0, rate: samplingRate };
}

/** Whom the guarantee does not cover, by who adds the noise. */
const PLACEMENT_CAVEATS: Readonly<Record<NoisePlacement, string>> = {
  central:
    'Noise is added centrally: the server and its workers are trusted and see the deltas of single clients; the guarantee is against everybody who sees the released models of all rounds.',
  shares:
    'Clients add shares of the noise, and the server those of clients whose delta was dropped: the guarantee is for the sum of all, against everybody who sees the released models. It is none against a server that looks at single contributions, which only secure aggregation could hide; and clients who pool their shares take that part of the noise off.',
  local:
    'Every client adds all of its noise: the guarantee is against everybody, the server included, for each of the messages of one user and for all of them together. That somebody took part is not hidden.',
};

/** Above it formal guarantees count as weak (Ponomareva et al. 2023, "How to DP-fy ML", tier 3). */
const WEAK_EPSILON = 10;

function protectionCaveat(epsilon: number): string[] {
  if (epsilon <= WEAK_EPSILON) return [];
  return [
    `An epsilon above ${WEAK_EPSILON} is a weak formal guarantee: it bounds what is learnt about a user only loosely.`,
  ];
}

/** The accountant that the run is kept and reported by. */
function accountantOf({ privacy, ledger, ...scale }: PrivacyRecord): PrivacyAccountant {
  const { adjacency, roundEvent } = resolvePrivacy(privacy, scale);
  const events = ledger.length > 0 ? ledger.map(({ event }) => event) : [roundEvent];
  return runAccountant(privacy.accountant, events, adjacency);
}

/** Whether one more round like the configured ones would exceed the run's budget. */
export function budgetIsSpent(record: PrivacyRecord, accountant: PrivacyAccountant = accountantOf(record)): boolean {
  const { budget } = record.privacy;
  if (budget === undefined) return false;
  const { roundEvent } = resolvePrivacy(record.privacy, record);
  const last = record.ledger.at(-1);
  const planned = last === undefined ? roundEvent : followingEvent(last.event);
  const next = ledgerEntry(record.ledger.length + 1, planned, last?.adjacency);
  return accountant.epsilon([...record.ledger, next], budget.delta).epsilon > budget.epsilon;
}

/** What the round after one with `event` would append. */
function followingEvent(event: PrivacyEvent): PrivacyEvent {
  // With local noise the busiest user may take part once more, whoever was sampled last.
  if (event.kind === 'selfComposed') return event.event;
  if (event.kind !== 'mechanismStep') return event;
  const { mechanism, step, instance } = event;
  return mechanismStep(mechanism, Math.min(step + 1, mechanism.steps), instance);
}

function startCaveat({ seedModel, startedFromFile }: PrivacyRecord): string {
  if (startedFromFile) {
    return 'Training started from the weights of an ONNX file. The guarantee does not cover the data they were trained on; if those came from these users, their privacy loss adds to this one.';
  }
  return seedModel
    ? 'The seed model was trained on public examples, which this guarantee does not cover.'
    : 'Training started from random weights; no other data entered it.';
}

function weightingCaveat({ weighting }: PrivacyRecord): string[] {
  if (weighting === undefined || weighting.kind === 'uniform') return [];
  return [
    `A clipped delta counts min(n, ${weighting.maxWeight}) / ${weighting.maxWeight}, n being the client's number of examples: at most 1, so the clipping bound and the noise are those of equal weights. The sum is divided by S, not by the weights, which depend on who takes part.`,
  ];
}

function noiseSourceCaveat({ noiseSource, sampling }: Pick<ResolvedPrivacy, 'noiseSource' | 'sampling'>): string {
  if (noiseSource === 'seeded') {
    return 'Noise and cohorts are drawn from the seed in config.yaml, so that the run can be repeated: whoever knows the seed can take the noise off again. The guarantee describes the mechanism; for a model that is released set noiseSource: cryptographic.';
  }
  return sampling === 'cyclic'
    ? 'Noise came from the cryptographic generator of the operating system; nobody can repeat the run or take the noise off. What later rounds need of it is in the checkpoints: delete them before anything but the model is handed on. Cohorts follow from the seed in config.yaml and are no secret; epsilon gains nothing from them.'
    : 'Noise and cohorts came from the cryptographic generator of the operating system and were not kept: nobody can repeat the run, take the noise off, or tell from the seed who took part.';
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
