import { correlatedSensitivity } from './correlated-sensitivity.ts';
import type { Adjacency, MechanismStepEvent, PrivacyEvent } from './events.ts';

/** A mechanism as accountants price it: noise relative to the sensitivity under the adjacency at hand. */
export type Mechanism = SampledGaussian | SampledLaplace | SampledDiscreteGaussian | FixedSizeMechanism;

/** A mechanism on everybody. */
export type UnsampledMechanism = (SampledGaussian | SampledLaplace | SampledDiscreteGaussian) & {
  readonly samplingRate: 1;
};

/** Poisson sampling with rate q, then Gaussian noise; q = 1 is a Gaussian on everybody. */
export interface SampledGaussian {
  readonly kind: 'gaussian';
  readonly samplingRate: number;
  /** z */
  readonly noiseMultiplier: number;
}

export interface SampledLaplace {
  readonly kind: 'laplace';
  readonly samplingRate: number;
  /** b over the L1 sensitivity */
  readonly scale: number;
}

export interface SampledDiscreteGaussian {
  readonly kind: 'discreteGaussian';
  readonly samplingRate: number;
  /** σ over the L2 sensitivity */
  readonly noiseMultiplier: number;
}

/** Sampling without replacement of the fraction `samplingRate` < 1 of the users, one of whom is replaced. */
export interface FixedSizeMechanism {
  readonly kind: 'fixedSize';
  readonly samplingRate: number;
  readonly base: UnsampledMechanism;
}

/** One leaf of an event: a mechanism that ran `count` times, a step of a correlated one, or why it is neither. */
export type EventPart =
  | { readonly is: 'mechanism'; readonly path: string; readonly mechanism: Mechanism; readonly count: number }
  | { readonly is: 'step'; readonly path: string; readonly event: MechanismStepEvent; readonly count: number }
  | { readonly is: 'nonPrivate'; readonly path: string }
  | { readonly is: 'unsupported'; readonly problem: string };

/**
 * Walks an event to its leaves. What has no analysis under the adjacency comes as `unsupported`, with the path of the part; accountants refuse that,
 * and kinds of mechanisms that they themselves cannot price.
 */
export function* partsOf(
  event: PrivacyEvent,
  adjacency: Adjacency,
  path = 'event',
  count = 1,
): Generator<EventPart, void> {
  const problem = (why: string): EventPart => ({ is: 'unsupported', problem: `${path}: ${why}` });
  switch (event.kind) {
    case 'gaussian':
    case 'laplace':
    case 'discreteGaussian':
      yield { is: 'mechanism', path, mechanism: onEverybody(event, adjacency), count };
      return;
    case 'poissonSampled':
    case 'fixedSizeSampled': {
      const inner = mergedNoise(event.event);
      if (inner === null) {
        yield {
          is: 'unsupported',
          problem: `${path}.event: '${event.event.kind}' under ${event.kind === 'poissonSampled' ? 'Poisson' : 'fixed-size'} sampling (only Gaussian noise, or one Laplace or discrete Gaussian, is supported there)`,
        };
        return;
      }
      const base = onEverybody(inner, adjacency);
      const rate = event.kind === 'poissonSampled' ? event.samplingRate : event.cohort / event.population;
      if (rate === 0) return;
      if (rate === 1) yield { is: 'mechanism', path, mechanism: base, count };
      else if (event.kind === 'poissonSampled') {
        if (adjacency === 'replace-one-user') {
          yield problem(
            `'poissonSampled' under ${adjacency}; Poisson sampling is accounted under add-or-remove-one-user`,
          );
        } else yield { is: 'mechanism', path, mechanism: { ...base, samplingRate: rate }, count };
      } else if (adjacency === 'add-or-remove-one-user') {
        yield problem(
          `'fixedSizeSampled' under ${adjacency}; a cohort of fixed size is accounted under replace-one-user, since everybody's chance changes with the population`,
        );
      } else {
        // The analysis compares cohorts that differ by one member, whoever that is: 2·C apart, also when one user's data is zero.
        const replaced = onEverybody(inner, 'replace-one-user');
        yield { is: 'mechanism', path, mechanism: { kind: 'fixedSize', samplingRate: rate, base: replaced }, count };
      }
      return;
    }
    case 'selfComposed':
      if (event.count > 0) yield* partsOf(event.event, adjacency, `${path}.event`, count * event.count);
      return;
    case 'composed':
      for (const [i, part] of event.events.entries()) yield* partsOf(part, adjacency, `${path}.events[${i}]`, count);
      return;
    case 'mechanismStep':
      if (adjacency === 'add-or-remove-one-user') {
        yield problem(
          `'${event.mechanism.kind}' under ${adjacency}; participation is planned for a fixed list of users, so account it under zero-out-one-user`,
        );
      } else yield { is: 'step', path, event, count };
      return;
    case 'nonPrivate':
      yield { is: 'nonPrivate', path };
      return;
    default:
      // A ledger may come from a newer version.
      yield problem(`unknown kind '${(event as { kind: string }).kind}'`);
  }
}

/** The noise of a correlated mechanism over its first `steps` steps, as one Gaussian on everybody. */
export function correlatedGaussian(
  mechanism: MechanismStepEvent['mechanism'],
  steps: number,
  adjacency: Adjacency,
): SampledGaussian {
  const sensitivity = correlatedSensitivity(mechanism, steps) * sensitivityOf(adjacency);
  return { kind: 'gaussian', samplingRate: 1, noiseMultiplier: mechanism.noiseMultiplier / sensitivity };
}

/** How far a sum moves, in units of C: by a contribution, or by one and its opposite. */
function sensitivityOf(adjacency: Adjacency): 1 | 2 {
  return adjacency === 'replace-one-user' ? 2 : 1;
}

type Noise = Extract<PrivacyEvent, { kind: 'gaussian' | 'laplace' | 'discreteGaussian' }>;

function onEverybody(noise: Noise, adjacency: Adjacency): UnsampledMechanism {
  const sensitivity = sensitivityOf(adjacency);
  if (noise.kind === 'gaussian') {
    return { kind: 'gaussian', samplingRate: 1, noiseMultiplier: noise.noiseMultiplier / sensitivity };
  }
  if (noise.kind === 'laplace') return { kind: 'laplace', samplingRate: 1, scale: noise.scale / sensitivity };
  const noiseMultiplier = noise.standardDeviation / (noise.sensitivity * sensitivity);
  return { kind: 'discreteGaussian', samplingRate: 1, noiseMultiplier };
}

/**
 * The noise under a sampled event. Several Gaussians on one cohort (layers with noise of their own, a quantile beside the sum) are, each scaled to
 * its noise, one Gaussian on one longer vector: 1/z² adds up. Null for anything else.
 */
function mergedNoise(event: PrivacyEvent): Noise | null {
  // One alone is itself, also where 1/z² has no place in float64.
  if (event.kind === 'gaussian' || event.kind === 'laplace' || event.kind === 'discreteGaussian') return event;
  const precision = gaussianPrecision(event);
  return precision > 0 && Number.isFinite(precision)
    ? { kind: 'gaussian', noiseMultiplier: 1 / Math.sqrt(precision) }
    : null;
}

/** Σ 1/z² of an event made of Gaussians alone; NaN for any other. */
function gaussianPrecision(event: PrivacyEvent): number {
  if (event.kind === 'gaussian') return event.noiseMultiplier ** -2;
  if (event.kind === 'selfComposed') return event.count * gaussianPrecision(event.event);
  if (event.kind === 'composed') return event.events.reduce((sum, part) => sum + gaussianPrecision(part), 0);
  return Number.NaN;
}
