import { randomUUID } from 'node:crypto';
import { type LeaseTrainer, trainedShard } from '../client/lease-trainer.ts';
import type { WorkerTask } from '../client/task.ts';
import { runWorker, type WorkerOptions, type WorkerSummary } from '../client/worker.ts';
import { ProtocolError } from '../errors.ts';
import type { TrainingArtifact } from '../graph/compile.ts';
import { ParameterLayout } from '../params/layout.ts';
import { RoundAggregator } from './aggregation.ts';
import { AggregationServer } from './service.ts';
import type { AggregationOptions } from './service-options.ts';

export interface AggregatorOptions {
  /** The aggregator as a worker of the server above it. */
  readonly above: Omit<WorkerOptions, 'openTask' | 'openLeases' | 'dataPath'>;
  /** The aggregator as the server of the workers below it. */
  readonly below: Pick<AggregationOptions, 'listen' | 'tls' | 'token'>;
  /** Clients per lease that it gives to a worker. */
  readonly shardSize: number;
  /** Hears of the server that workers below may connect to, once there is a task for them. */
  readonly onListening?: (server: AggregationServer) => void;
}

/**
 * An inner node of a tree of aggregators: to the server above it is a worker, to the workers below it is the server. A lease
 * from above is cut into smaller shards; their exact sums are added and go up as one. Exact sums know no order, so the root gets the bits that
 * a worker would have sent. It holds no data, opens no training step, and may stand above other aggregators.
 * @throws what `runWorker` throws; ConfigError when it cannot listen; ProtocolError when every worker below failed
 */
export async function runAggregator(options: AggregatorOptions): Promise<WorkerSummary> {
  const node = new AggregatorNode(options);
  try {
    return await runWorker({ ...options.above, openLeases: (task, model) => node.open(task, model) });
  } finally {
    await node.close();
  }
}

class AggregatorNode {
  readonly #options: AggregatorOptions;
  #server: AggregationServer | undefined;
  #task: WorkerTask | undefined;
  #model: TrainingArtifact | undefined;

  constructor(options: AggregatorOptions) {
    this.#options = options;
  }

  /** Called for every connection to the server above; the workers below stay connected meanwhile. */
  async open(task: WorkerTask, model: TrainingArtifact): Promise<LeaseTrainer> {
    const server = await this.#serverFor(task, model);
    // A server above that was started anew may repeat a round with other parameters.
    server.forgetParameters();
    const layout = new ParameterLayout(task.layers);
    const aggregator = new RoundAggregator(layout);
    let parameters: Float32Array = new Float32Array(0);
    return {
      take: (given) => {
        parameters = given;
      },
      train: async ({ round, clientIds, settings }, signal) => {
        const shards = cut(clientIds, this.#options.shardSize);
        aggregator.begin(shards);
        const abandon = () => server.abandonRound(signal.reason as Error);
        signal.addEventListener('abort', abandon);
        try {
          await server.runRound(round, parameters, shards, (shard, result) => aggregator.add(shard, result), settings);
        } finally {
          signal.removeEventListener('abort', abandon);
        }
        return trainedShard(aggregator.finish(), true);
      },
      close: async () => undefined,
    };
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  async #serverFor(task: WorkerTask, model: TrainingArtifact): Promise<AggregationServer> {
    if (this.#server !== undefined) {
      if (JSON.stringify(task) === JSON.stringify(this.#task) && Buffer.compare(model.onnx, this.#model!.onnx) === 0) {
        return this.#server;
      }
      throw new ProtocolError(
        'the server above came back with another task; start this aggregator and its workers again',
      );
    }
    const { below, above, onListening } = this.#options;
    this.#server = await AggregationServer.start({ ...below, runId: randomUUID(), task, model, log: above.log });
    this.#task = task;
    this.#model = model;
    onListening?.(this.#server);
    return this.#server;
  }
}

function cut(clientIds: readonly number[], size: number): number[][] {
  const parts = Math.ceil(clientIds.length / size);
  return Array.from({ length: parts }, (_, part) => clientIds.slice(part * size, (part + 1) * size));
}
