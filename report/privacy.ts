import type { EpsilonStatement, PrivacyAccountant } from '../privacy/accountant.ts';
import type { AdaptiveSettings } from '../privacy/adaptive-clipping.ts';
import type { ClippingSpec } from '../privacy/clipping.ts';
import type { NoisePlacement } from '../privacy/config.ts';
import { noiseConventions } from '../privacy/conventions.ts';
import type { Adjacency } from '../privacy/events.ts';
import type { NoiseSource } from '../privacy/noise.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { resolvePrivacy } from '../privacy/resolve.ts';
import { guaranteeCaveats } from './privacy-caveats.ts';
import { accountantOf, type PrivacyRecord } from './privacy-record.ts';
import { plannedNoise, type RoundNoise, roundNoise, sameNoise } from './round-noise.ts';

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
    caveats: guaranteeCaveats(record, settings, { epsilon, uniform, shown }),
  };
}
