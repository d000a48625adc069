import type { ExtrapolatedEpsilon } from '../privacy/extrapolation.ts';
import { sampledCohort } from '../server/run-config.ts';
import { type AuditSection, auditSection } from './audit.ts';
import { budgetIsSpent } from './budget-spent.ts';
import { extrapolations } from './extrapolations.ts';
import { type NoPrivacySection, type PrivacySection, privacySection } from './privacy.ts';
import type { RunFiles } from './run-files.ts';
import { type SimulationSection, simulationSection } from './simulation.ts';
import {
  type AccuracySection,
  accuracySection,
  type CohortSection,
  cohortSection,
  type LayerSection,
  layerSection,
  type TimingSection,
  timingSection,
} from './training.ts';

/** A run's report; report.json holds exactly this. */
export interface Report {
  readonly format: 'dpfl-report';
  readonly version: 1;
  readonly run: RunSection;
  readonly accuracy: AccuracySection | null;
  readonly privacy: PrivacySection | NoPrivacySection;
  /** Empirical audit by canaries; null without one. */
  readonly audit: AuditSection | null;
  /** Deployments that were not run. */
  readonly extrapolations: readonly ExtrapolatedEpsilon[];
  readonly layers: LayerSection;
  readonly cohorts: CohortSection | null;
  /** Simulated devices; null without a `simulation` section. */
  readonly simulation: SimulationSection | null;
  readonly timing: TimingSection;
}

/** What was run. */
export interface RunSection {
  readonly name: string;
  readonly seed: number | string;
  /** Whether all planned central steps were done. */
  readonly finished: boolean;
  /** Whether the next round would have exceeded `privacy.budget`, so that resuming cannot go on. */
  readonly endedByBudget: boolean;
  readonly plannedRounds: number;
  readonly completedRounds: number;
  readonly population: number;
  readonly expectedCohort: number;
  /** One line each, for people. */
  readonly model: string;
  /** What became of BatchNormalization; null for models without it. */
  readonly batchNorm: string | null;
  /** What adapters are trained; null without LoRA. */
  readonly lora: string | null;
  readonly data: string;
  readonly local: string;
  /** The loss, where the configuration names one; null for the data's default. */
  readonly loss: string | null;
  readonly optimizer: string;
  readonly seedModel: string | null;
  /** Where the weights before any training came from. */
  readonly start: string;
  /** Versions and machine, from the manifest. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The report of a run, a pure function of the files in its directory. */
export function buildReport({ config, manifest, rounds, ledger, auditScores }: RunFiles): Report {
  const {
    population,
    dataset,
    userMeaning: _inCaveats,
    model,
    batchNorm,
    lora,
    seed: _sameAsConfig,
    ...rest
  } = manifest;
  const { rounds: plannedRounds, expectedCohort } = config.federation;
  const completedRounds = rounds.length > 0 ? rounds[rounds.length - 1].round : 0;
  const record = {
    privacy: config.privacy,
    population,
    expectedCohort,
    sampledCohort: sampledCohort(config),
    sampling: config.federation.sampling,
    weighting: config.federation.weighting,
    simulated: config.simulation !== undefined,
    seedModel: config.seedModel !== undefined,
    startedFromFile: config.model.kind === 'onnx',
    userMeaning: manifest.userMeaning,
    ledger,
    rounds: plannedRounds,
  };
  const privacy = privacySection(record);
  return {
    format: 'dpfl-report',
    version: 1,
    run: {
      name: config.name,
      seed: config.seed,
      finished: completedRounds >= plannedRounds,
      endedByBudget: completedRounds < plannedRounds && budgetIsSpent(record),
      plannedRounds,
      completedRounds,
      population,
      expectedCohort,
      model: model ?? describe(config.model),
      batchNorm: batchNorm ?? null,
      lora: lora ?? null,
      data: dataset ?? describe(config.data),
      local: `SGD, ${describe(config.local)}`,
      loss: config.loss === undefined ? null : describe(config.loss),
      optimizer: describe(config.optimizer),
      seedModel: config.seedModel ? `central training on public examples: ${describe(config.seedModel)}` : null,
      start: config.model.kind === 'onnx' ? `the weights in ${config.model.path}` : 'random weights',
      environment: singleValues(rest),
    },
    accuracy: accuracySection(rounds),
    privacy,
    audit:
      config.privacy.audit === undefined || auditScores === undefined
        ? null
        : auditSection(auditScores, { delta: config.privacy.delta, ...config.privacy.audit }, privacy),
    extrapolations: extrapolations(record, privacy),
    layers: layerSection(rounds),
    cohorts: cohortSection(rounds, sampledCohort(config)),
    simulation: simulationSection(rounds, config.simulation),
    timing: timingSection(rounds),
  };
}

/** A section of the configuration on one line: `lamb (learningRate 0.01, beta1 0.9)`. */
function describe(section: object): string {
  const { kind, ...settings } = section as Record<string, unknown>;
  const words = Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${typeof value === 'object' && value !== null ? describe(value) : String(value)}`)
    .join(', ');
  if (kind === undefined) return words;
  return words === '' ? String(kind) : `${String(kind)} (${words})`;
}

function singleValues(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value) ? [[key, String(value)]] : [],
    ),
  );
}
