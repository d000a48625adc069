import { PrivacyError } from '../errors.ts';

/**
 * What a mechanism did to user data: small frozen values, apart from the accountants that price them
 * (after the privacy events of Google's dp_accounting).
 *
 * Every noise is stated in units of C, the largest norm of one user's contribution. Under an adjacency where the user's data is replaced
 * by other data the sum moves by up to 2·C; accountants double the sensitivity there, events never do.
 */
export type PrivacyEvent =
  | GaussianEvent
  | LaplaceEvent
  | DiscreteGaussianEvent
  | PoissonSampledEvent
  | FixedSizeSampledEvent
  | ComposedEvent
  | SelfComposedEvent
  | MechanismStepEvent
  | NonPrivateEvent;

/** Gaussian noise of standard deviation `noiseMultiplier`·C on a sum over all users; C bounds the L2 norm. */
export interface GaussianEvent {
  readonly kind: 'gaussian';
  readonly noiseMultiplier: number;
}

/** Laplace noise of scale `scale`·C on every coordinate of a sum over all users; C bounds the **L1** norm of a contribution. */
export interface LaplaceEvent {
  readonly kind: 'laplace';
  readonly scale: number;
}

/**
 * Discrete Gaussian noise (Canonne, Kamath & Steinke 2020) on a vector of integers: independent on every coordinate, with parameter σ
 * of `standardDeviation` steps, where one user's integers have an L2 norm of at most `sensitivity` steps.
 */
export interface DiscreteGaussianEvent {
  readonly kind: 'discreteGaussian';
  readonly standardDeviation: number;
  readonly sensitivity: number;
  /** Number of coordinates. */
  readonly dimension: number;
}

/** `event` on a random subset that each user joins independently with probability `samplingRate`. */
export interface PoissonSampledEvent {
  readonly kind: 'poissonSampled';
  readonly samplingRate: number;
  readonly event: PrivacyEvent;
}

/** `event` on a uniformly random subset of exactly `cohort` of the `population` users, drawn without replacement. */
export interface FixedSizeSampledEvent {
  readonly kind: 'fixedSizeSampled';
  readonly cohort: number;
  readonly population: number;
  readonly event: PrivacyEvent;
}

/** All of `events`, each free to depend on the outcomes of those before. Under a sampled event: all on one and the same subset. */
export interface ComposedEvent {
  readonly kind: 'composed';
  readonly events: readonly PrivacyEvent[];
}

/** `event`, `count` times. Under a sampled event: all on one and the same subset. */
export interface SelfComposedEvent {
  readonly kind: 'selfComposed';
  readonly event: PrivacyEvent;
  readonly count: number;
}

/** How often one user may take part in a mechanism whose noise is correlated over steps. */
export interface Participation {
  /** Largest number of steps of the mechanism that one user takes part in. */
  readonly maxParticipations: number;
  /** A user who took part in step t takes part again in step t + `minSeparation` at the earliest; 1 allows every step. */
  readonly minSeparation: number;
}

/** Sums over the nodes of a binary tree over steps, each node with its own Gaussian noise of standard deviation `noiseMultiplier`·C. */
export interface TreeAggregation extends Participation {
  readonly kind: 'treeAggregation';
  readonly noiseMultiplier: number;
  /** Leaves, one per step. A restart is another tree. */
  readonly steps: number;
}

/**
 * Matrix mechanism: releases S·X + Z for the steps' sums X, a lower triangular strategy matrix S and Gaussian noise Z of standard deviation
 * `noiseMultiplier`·C; models are post-processing of it.
 */
export interface MatrixMechanism extends Participation {
  readonly kind: 'matrixMechanism';
  readonly noiseMultiplier: number;
  /** Rows and columns of S. */
  readonly steps: number;
  readonly strategy: MatrixStrategy;
}

/** What an accountant must know of S. */
export type MatrixStrategy =
  /** S[i, j] = coefficients[i − j], 0 beyond them. */
  | { readonly kind: 'toeplitz'; readonly coefficients: readonly number[] }
  /** S[i, j] = 0 unless 0 ≤ i − j < bands; no column has an L2 norm above `columnNorm`. */
  | { readonly kind: 'banded'; readonly bands: number; readonly columnNorm: number };

/**
 * Step `step` (1, 2, …) of a mechanism with noise correlated over steps. Steps with an equal `mechanism` and `instance` belong to one
 * run of it and are priced together; an instance of its own is one more mechanism.
 */
export interface MechanismStepEvent {
  readonly kind: 'mechanismStep';
  readonly step: number;
  readonly instance: number;
  readonly mechanism: TreeAggregation | MatrixMechanism;
}

/** User data was used without differential privacy: epsilon is infinite. */
export interface NonPrivateEvent {
  readonly kind: 'nonPrivate';
  readonly reason: string;
}

/**
 * What neighbouring data sets differ by:
 * - `add-or-remove-one-user`: all data of one user is there or not (arXiv:2310.00098 Definition 2)
 * - `replace-one-user`: one user's data is replaced by any other data; the number of users is public
 * - `zero-out-one-user`: one user's contributions are replaced by zero; who takes part when is public or independent of the data
 */
export type Adjacency = (typeof ADJACENCIES)[number];
export const ADJACENCIES = ['add-or-remove-one-user', 'replace-one-user', 'zero-out-one-user'] as const;
export const ADD_OR_REMOVE: Adjacency = 'add-or-remove-one-user';

/** @throws PrivacyError unless the multiplier is positive and finite; no noise is `nonPrivate`, not a multiplier of 0 */
export function gaussian(noiseMultiplier: number): GaussianEvent {
  requirePositive('gaussian', { noiseMultiplier });
  return Object.freeze({ kind: 'gaussian', noiseMultiplier });
}

/** @throws PrivacyError unless the scale is positive and finite */
export function laplace(scale: number): LaplaceEvent {
  requirePositive('laplace', { scale });
  return Object.freeze({ kind: 'laplace', scale });
}

/** @throws PrivacyError unless all are positive and finite and the dimension is whole */
export function discreteGaussian(
  standardDeviation: number,
  sensitivity: number,
  dimension: number,
): DiscreteGaussianEvent {
  requirePositive('discreteGaussian', { standardDeviation, sensitivity });
  requireCount('discreteGaussian', { dimension });
  return Object.freeze({ kind: 'discreteGaussian', standardDeviation, sensitivity, dimension });
}

/** @throws PrivacyError unless the rate is in [0, 1] */
export function poissonSampled(samplingRate: number, event: PrivacyEvent): PoissonSampledEvent {
  if (!(samplingRate >= 0 && samplingRate <= 1)) {
    throw new PrivacyError(`event poissonSampled: samplingRate must be in [0, 1], got ${samplingRate}`);
  }
  return Object.freeze({ kind: 'poissonSampled', samplingRate, event });
}

/** @throws PrivacyError unless 1 ≤ cohort ≤ population, both whole */
export function fixedSizeSampled(cohort: number, population: number, event: PrivacyEvent): FixedSizeSampledEvent {
  requireCount('fixedSizeSampled', { cohort, population });
  if (cohort > population) {
    throw new PrivacyError(`event fixedSizeSampled: cohort ${cohort} exceeds the population ${population}`);
  }
  return Object.freeze({ kind: 'fixedSizeSampled', cohort, population, event });
}

export function composed(events: readonly PrivacyEvent[]): ComposedEvent {
  return Object.freeze({ kind: 'composed', events: Object.freeze([...events]) });
}

/** @throws PrivacyError unless the count is a whole number, 0 or more */
export function selfComposed(event: PrivacyEvent, count: number): SelfComposedEvent {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new PrivacyError(`event selfComposed: count must be a whole number of times, got ${count}`);
  }
  return Object.freeze({ kind: 'selfComposed', event, count });
}

/** @throws PrivacyError unless the multiplier is positive and all counts are whole and positive */
export function treeAggregation(tree: Omit<TreeAggregation, 'kind'>): TreeAggregation {
  const { noiseMultiplier, steps, maxParticipations, minSeparation } = tree;
  requirePositive('treeAggregation', { noiseMultiplier });
  requireCount('treeAggregation', { steps, maxParticipations, minSeparation });
  return Object.freeze({ kind: 'treeAggregation', noiseMultiplier, steps, maxParticipations, minSeparation });
}

/** @throws PrivacyError unless the multiplier is positive, all counts are whole and positive, and the strategy is one of finite numbers */
export function matrixMechanism(matrix: Omit<MatrixMechanism, 'kind'>): MatrixMechanism {
  const { noiseMultiplier, steps, maxParticipations, minSeparation } = matrix;
  requirePositive('matrixMechanism', { noiseMultiplier });
  requireCount('matrixMechanism', { steps, maxParticipations, minSeparation });
  const strategy = frozenStrategy(matrix.strategy);
  return Object.freeze({
    kind: 'matrixMechanism',
    noiseMultiplier,
    steps,
    maxParticipations,
    minSeparation,
    strategy,
  });
}

function frozenStrategy(strategy: MatrixStrategy): MatrixStrategy {
  if (strategy.kind === 'banded') {
    const { kind, bands, columnNorm } = strategy;
    requireCount('matrixMechanism', { bands });
    requirePositive('matrixMechanism', { columnNorm });
    return Object.freeze({ kind, bands, columnNorm });
  }
  const { kind, coefficients } = strategy;
  if (!coefficients.every(Number.isFinite) || !coefficients.some((c) => c !== 0)) {
    throw new PrivacyError('event matrixMechanism: a toeplitz strategy needs finite coefficients, not all 0');
  }
  return Object.freeze({ kind, coefficients: Object.freeze([...coefficients]) });
}

/** @throws PrivacyError unless the step is one of the mechanism's and the instance a whole number, 0 or more */
export function mechanismStep(
  mechanism: TreeAggregation | MatrixMechanism,
  step: number,
  instance = 0,
): MechanismStepEvent {
  requireCount('mechanismStep', { step });
  if (step > mechanism.steps) {
    throw new PrivacyError(`event mechanismStep: step ${step} of a mechanism with ${mechanism.steps}`);
  }
  if (!Number.isSafeInteger(instance) || instance < 0) {
    throw new PrivacyError(`event mechanismStep: instance must be a whole number, 0 or more, got ${instance}`);
  }
  return Object.freeze({ kind: 'mechanismStep', step, instance, mechanism });
}

export function nonPrivate(reason: string): NonPrivateEvent {
  return Object.freeze({ kind: 'nonPrivate', reason });
}

function requirePositive(event: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value > 0) || !Number.isFinite(value)) {
      throw new PrivacyError(`event ${event}: ${name} must be positive and finite, got ${value}`);
    }
  }
}

function requireCount(event: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new PrivacyError(`event ${event}: ${name} must be a whole number, 1 or more, got ${value}`);
    }
  }
}
