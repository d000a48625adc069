import { parseRunConfig, type RunConfig } from '../../server/run-config.ts';

/** A federated protocol whose rounds are timed, and the same client for PyTorch. */
export interface Protocol {
  readonly title: string;
  readonly config: RunConfig;
  /** Most that a client may cost, everything included, in units of its bare PyTorch steps. */
  readonly costTarget?: number;
  /** Largest share of a round that may go to anything but local training. */
  readonly overheadTarget?: number;
  /** Smallest part of the workers' time that is to be spent on clients. */
  readonly busyTarget?: number;
  /** PyTorch clients timed between two rounds. */
  readonly pytorchClients: number;
  /** What scripts/bench/pytorch_step.py builds the same model and client from. */
  readonly pytorch: Readonly<Record<string, unknown>>;
}

/** Clients of 50 images: five steps of ten, unclipped, as in the benchmarks of pfl-research. */
const client = { batchSize: 10, steps: 5, maxGradientNorm: null };

/** simple_cnn on images of CIFAR-10's shape: population 1000, cohort 50, 50 images per user, one epoch of batches of 10. */
export function cifar10Protocol(): Protocol {
  const [channels, hidden, imageShape] = [[32, 64], 128, [3, 32, 32]];
  return {
    title: 'CIFAR-10 protocol: simple_cnn, cohort 50',
    config: configOf('cifar10', { kind: 'cnn', channels, hidden }, imageShape, 1000, 50, 16),
    costTarget: 0.85,
    overheadTarget: 0.1,
    pytorchClients: 12,
    pytorch: { kind: 'cnn', settings: { imageShape, channels, hidden, classes: 10 }, ...client },
  };
}

/** Users with lognormal numbers of images, as real populations have, on two workers. */
export function skewedProtocol(): Protocol {
  const imageShape = [3, 32, 32];
  const config = configOf('skewed', { kind: 'cnn', channels: [8], hidden: 32 }, imageShape, 10_000, 300, 3);
  const data = { ...config.data, samplesSpread: 1 };
  const federation = { ...config.federation, workers: 2 };
  return {
    title: 'Skewed population (deviation of log images: 1), 2 workers, cohort 300',
    config: parseRunConfig({ ...config, data, federation }, 'skewed'),
    busyTarget: 0.95,
    pytorchClients: 0,
    pytorch: { kind: 'cnn', settings: { imageShape, channels: [8], hidden: 32, classes: 10 }, ...client },
  };
}

/** A perceptron on images of MNIST's shape. */
export function mlpProtocol(
  hidden: readonly number[],
  cohort: number,
  rounds: number,
  targets: Pick<Protocol, 'costTarget' | 'overheadTarget'>,
): Protocol {
  const imageShape = [1, 28, 28];
  const name = `mlp-${hidden.join('-')}-${cohort}`;
  return {
    title: `MLP 784-${hidden.join('-')}-10, cohort ${cohort.toLocaleString('en-US')}`,
    config: configOf(name, { kind: 'mlp', hidden }, imageShape, 50 * cohort, cohort, rounds),
    ...targets,
    pytorchClients: 200,
    pytorch: { kind: 'mlp', settings: { imageShape, hidden, classes: 10 }, ...client },
  };
}

/** @param rounds that are timed, between a first and a last that are not */
function configOf(
  name: string,
  model: object,
  imageShape: readonly number[],
  population: number,
  expectedCohort: number,
  rounds: number,
): RunConfig {
  const config = {
    name,
    model,
    data: { kind: 'synthetic-images', population, imageShape, samplesPerUser: 50, evaluationSamples: 10 },
    local: { epochs: 1, batchSize: 10, learningRate: 0.1, maxGradientNorm: null },
    federation: { rounds: rounds + 2, expectedCohort, workers: 1 },
    optimizer: { kind: 'sgd', learningRate: 1 },
    privacy: { clipping: { mode: 'global', bound: 0.4 }, noise: { multiplier: 1 }, delta: 1e-8 },
    // As runs do, but at least once in the rounds that are timed.
    evaluation: { every: Math.min(10, rounds) },
    checkpoint: { every: Math.min(10, rounds) },
  };
  return parseRunConfig(config, name);
}
