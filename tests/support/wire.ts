import { type ClientDuplexStream, credentials, type StatusObject } from '@grpc/grpc-js';
import { localConfig } from '../../client/config.ts';
import type { ShardContext } from '../../client/shard.ts';
import type { WorkerTask } from '../../client/task.ts';
import { vectorOf } from '../../client/training-session.ts';
import { dataConfig } from '../../data/config.ts';
import type { ServerMessage__Output } from '../../proto/generated/dpfl/v1/ServerMessage.ts';
import type { WorkerMessage } from '../../proto/generated/dpfl/v1/WorkerMessage.ts';
import { Aggregation, PROTOCOL_VERSION, wireOptions } from '../../proto/load.ts';
import { AggregationServer } from '../../server/service.ts';
import type { AggregationOptions } from '../../server/service-options.ts';

export const layers = [
  { name: 'weight', shape: [2, 3] },
  { name: 'bias', shape: [3] },
];
const SIZE = 9;

export const task: WorkerTask = {
  data: dataConfig.parse({ kind: 'cifar10', path: 'nowhere' }),
  seed: 1,
  local: localConfig.parse({ steps: 1, batchSize: 1, learningRate: 0.1 }),
  clipping: { mode: 'global', bound: 1 },
  dataFingerprint: 'fixture',
  gridStep: 2 ** -20,
  layers,
};

export function startServer(options: Partial<AggregationOptions> = {}): Promise<AggregationServer> {
  const model = { onnx: Uint8Array.from([1, 2, 3]), layers };
  return AggregationServer.start({ listen: '127.0.0.1:0', runId: 'run-a', task, model, ...options });
}

/** A client's delta in this make-believe world; the expected sums of tests follow from it alone. */
export function deltaOf(id: number, parameters: Float32Array): number[] {
  return Array.from(parameters, (value, index) => value + id * (index + 1));
}

/** An opened task whose training is a formula. `onClient` is awaited before each client. */
export function fakeContext(onClient: (id: number) => Promise<void> | void = () => undefined): ShardContext {
  let current = -1;
  return {
    seed: 1,
    local: task.local,
    layers: layers.length,
    dataset: {
      task: { kind: 'classification', classes: ['a', 'b'], imageShape: [1, 1, 1] },
      population: 100_000,
      client: (id) => {
        current = id;
        return { count: (id % 3) + 1, fields: {} };
      },
      evaluation: () => ({ count: 0, fields: {} }),
      description: 'make-believe',
    },
    trainer: {
      train: async (start) => {
        const id = current;
        await onClient(id);
        return { delta: Float32Array.from(deltaOf(id, vectorOf(start))), loss: id / 2 };
      },
    },
    clipper: {
      addAll: (sum, deltas) =>
        deltas.map(({ delta }) => {
          const values = delta as Float32Array;
          if (values.some(Number.isNaN)) return { accepted: false };
          for (let i = 0; i < sum.length; i += 1) sum[i] += values[i];
          return { accepted: true, norms: [1, 10], clipped: [1, 0] };
        }),
    },
  };
}

/** A worker in raw messages, for the test to drive. */
export class RawWorker {
  readonly received: ServerMessage__Output[] = [];
  /** The stream's end. */
  readonly status: Promise<StatusObject>;
  private readonly call: ClientDuplexStream<WorkerMessage, ServerMessage__Output>;
  private readonly client: InstanceType<typeof Aggregation>;
  private wake: () => void = () => undefined;
  private taken = 0;

  constructor(address: string) {
    this.client = new Aggregation(address, credentials.createInsecure(), {
      ...wireOptions,
      'grpc.max_send_message_length': -1,
      'grpc.use_local_subchannel_pool': 1,
    });
    this.call = this.client.Work();
    this.call.on('data', (message) => {
      this.received.push(message);
      this.wake();
    });
    this.call.on('error', () => undefined);
    this.status = new Promise((resolve) => this.call.once('status', resolve));
  }

  static async join(address: string, name = 'raw'): Promise<RawWorker> {
    const worker = new RawWorker(address);
    worker.send({ hello: { protocolVersion: PROTOCOL_VERSION, name } });
    await worker.next('welcome');
    await worker.next('modelChunk');
    return worker;
  }

  send(message: WorkerMessage): void {
    this.call.write(message);
  }

  /** The next message with this body; others before it are skipped. */
  async next<Body extends 'welcome' | 'modelChunk' | 'parametersChunk' | 'lease' | 'finished'>(
    body: Body,
  ): Promise<NonNullable<ServerMessage__Output[Body]>> {
    for (;;) {
      while (this.taken < this.received.length) {
        const found = this.received[this.taken][body];
        this.taken += 1;
        if (found) return found;
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  async lease() {
    this.send({ leaseRequest: {} });
    return this.next('lease');
  }

  /** Stops reading, so that flow control holds the server back; true reads on. */
  reading(on: boolean): void {
    if (on) this.call.resume();
    else this.call.pause();
  }

  /** Dies without a word. */
  kill(): void {
    this.call.cancel();
    this.client.close();
  }

  /** Hangs up in peace. */
  async leave(): Promise<void> {
    this.call.end();
    await this.status;
    this.client.close();
  }
}

/** A well-formed header for a lease of `clients` clients. */
export function headerOf(lease: { runId: string; round: number; attempt: number; shard: number }, clients: number) {
  const { runId, round, attempt, shard } = lease;
  return {
    runId,
    round,
    attempt,
    shard,
    contributed: clients,
    rejectedNonFinite: 0,
    lossSum: 0,
    examples: clients,
    deltaNormSums: [0, 0],
    clippedCounts: [0, 0],
    seconds: 0,
    dataSeconds: 0,
    trainingSeconds: 0,
    clippingSeconds: 0,
  };
}

export const parameters = () => Float32Array.from({ length: SIZE }, (_, index) => index - 4);
