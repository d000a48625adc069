import type { EpsilonStatement, PrivacyAccountant } from './accountant.ts';
import { gaussian, poissonSampled, selfComposed } from './events.ts';
import { RdpAccountant } from './rdp-accountant.ts';
import { samplingRate } from './sampling.ts';

/** The run that was really simulated. */
export interface SimulatedRun {
  readonly noiseMultiplier: number;
  readonly expectedCohort: number;
  readonly population: number;
  /** Clients sampled per client expected, at least 1: the deployment is taken to over-select likewise. Default 1. */
  readonly overSelection?: number;
  /** Number of central steps T. */
  readonly rounds: number;
  readonly delta: number;
}

/** The deployment that one would like to speak about. */
export interface ExtrapolationTarget {
  readonly population: number;
  readonly expectedCohort: number;
}

/**
 * Epsilon of a deployment that was *not* run. `kind` travels into every report, so that it is never taken for the run's own epsilon:
 * the noise that it accounts for is larger, on the sum, than the noise that the run added.
 */
export interface ExtrapolatedEpsilon {
  readonly kind: 'extrapolation';
  readonly population: number;
  readonly expectedCohort: number;
  readonly rounds: number;
  /** Noise on the average, in units of C; the same as in the simulated run. */
  readonly sigmaDp: number;
  /** z' = z·S'/S, which the deployment would have to add. */
  readonly noiseMultiplier: number;
  readonly samplingRate: number;
  readonly statement: EpsilonStatement;
  /** The same by RDP, the accountant of most papers; null when `statement` is itself by RDP. */
  readonly moments: EpsilonStatement | null;
}

/**
 * Population extrapolation (arXiv:2310.00098 §4.3, after McMahan et al. 2018): with σ_DP = z/S fixed the noise on the
 * pseudo-gradient, and so the training dynamics, stay those of the simulated run, while z' = σ_DP·S' grows with the cohort.
 * It assumes that a larger cohort does not train worse.
 * @throws PrivacyError when a cohort exceeds its population
 */
export function extrapolate(
  run: SimulatedRun,
  target: ExtrapolationTarget,
  accountant: PrivacyAccountant = new RdpAccountant(),
): ExtrapolatedEpsilon {
  const { overSelection = 1 } = run;
  samplingRate(run.expectedCohort * overSelection, run.population);
  const rate = samplingRate(target.expectedCohort * overSelection, target.population);
  const noiseMultiplier = (run.noiseMultiplier * target.expectedCohort) / run.expectedCohort;
  const event = selfComposed(poissonSampled(rate, gaussian(noiseMultiplier)), run.rounds);
  const statement = accountant.epsilon(event, run.delta);
  return {
    kind: 'extrapolation',
    population: target.population,
    expectedCohort: target.expectedCohort,
    rounds: run.rounds,
    sigmaDp: run.noiseMultiplier / run.expectedCohort,
    noiseMultiplier,
    samplingRate: rate,
    statement,
    moments: statement.accountant === 'rdp' ? null : new RdpAccountant().epsilon(event, run.delta),
  };
}
