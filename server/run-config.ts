import { z } from 'zod';
import { localConfig } from '../client/config.ts';
import { dataConfig } from '../data/config.ts';
import { ConfigError } from '../errors.ts';
import { lossConfig, modelConfig, trainConfig } from '../models/config.ts';
import { privacyConfig, type RunScale } from '../privacy/config.ts';
import { checkpointConfig, evaluationConfig, federationConfig, optimizerConfig, seedModelConfig } from './config.ts';
import { privacyProblems } from './privacy-checks.ts';
import { simulationConfig } from './simulation-config.ts';

/** The whole configuration of a run: what a YAML file says, each section as its room defines it. Unknown keys are errors. */
export const runConfig = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'use letters, digits, dots, dashes and underscores')
      .default('run')
      .describe('Name of the run; its directory is <output>/<name>-001, -002, …'),
    seed: z
      .union([z.int(), z.string().min(1)])
      .default(1)
      .describe('Names every random draw of the run. 0 is a seed like any other.'),
    model: modelConfig,
    train: trainConfig.optional(),
    loss: lossConfig.optional(),
    data: dataConfig,
    seedModel: seedModelConfig.optional(),
    local: localConfig,
    federation: federationConfig,
    optimizer: optimizerConfig,
    privacy: privacyConfig,
    simulation: simulationConfig.optional(),
    evaluation: evaluationConfig.prefault({}),
    checkpoint: checkpointConfig.prefault({}),
    output: z.string().min(1).default('runs').describe('Parent of the run directory.'),
  })
  .superRefine(({ federation, privacy, simulation }, context) => {
    const overSelection = simulation?.overSelection ?? 1;
    for (const { path, message } of privacyProblems({ privacy, federation, overSelection })) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
  })
  .superRefine(({ local, privacy, simulation }, context) => {
    // Under local noise whoever sends nothing is seen to send nothing: that must not follow from a user's data.
    const bySize =
      simulation?.compute !== undefined && simulation.deadlineSeconds !== undefined && local.epochs !== undefined;
    if (!bySize || privacy.noisePlacement !== 'local') return;
    context.addIssue({
      code: 'custom',
      path: ['simulation', 'deadlineSeconds'],
      message:
        'with local.epochs a client with many examples misses the deadline, which local noise does not hide; set local.steps, or another privacy.noisePlacement',
    });
  })
  .superRefine(({ data, federation, simulation }, context) => {
    // Data sets on disk may learn their population only when opened; sampling checks again then.
    if (data.population !== undefined && federation.expectedCohort > data.population) {
      context.addIssue({
        code: 'custom',
        path: ['federation', 'expectedCohort'],
        message: `an expected cohort of ${federation.expectedCohort} exceeds the population of ${data.population} (sampling rate above 1); lower it or raise data.population`,
      });
    } else if (data.population !== undefined && sampledCohort({ federation, simulation }) > data.population) {
      context.addIssue({
        code: 'custom',
        path: ['simulation', 'overSelection'],
        message: `${simulation?.overSelection} times an expected cohort of ${federation.expectedCohort} exceeds the population of ${data.population} (sampling rate above 1); lower it`,
      });
    }
  });
export type RunConfig = z.infer<typeof runConfig>;

/** Clients that a round is expected to sample: S times the over-selection. The sum is divided by S all the same. */
export function sampledCohort({ federation, simulation }: Pick<RunConfig, 'federation' | 'simulation'>): number {
  return federation.expectedCohort * (simulation?.overSelection ?? 1);
}

/** What the privacy section must know of the rest of the run. */
export function runScale(config: RunConfig, population: number): RunScale {
  const { expectedCohort, rounds, sampling } = config.federation;
  return { expectedCohort, population, sampledCohort: sampledCohort(config), rounds, sampling };
}

/**
 * Checks a configuration and fills in defaults.
 * @param raw what the YAML file holds
 * @param source name of the file, for messages
 * @throws ConfigError naming the first wrong key, and how many more are wrong
 */
export function parseRunConfig(raw: unknown, source: string): RunConfig {
  const result = runConfig.safeParse(raw);
  if (result.success) return result.data;
  const [first, ...others] = result.error.issues;
  const key = first.path.map(String).join('.');
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new ConfigError(`${source}: ${key === '' ? '' : `${key}: `}${first.message}${more}`, { cause: result.error });
}
