import { localConfig } from '../../client/config.ts';
import type { ShardContext } from '../../client/shard.ts';
import type { WorkerTask } from '../../client/task.ts';
import { vectorOf } from '../../client/training-session.ts';
import { dataConfig } from '../../data/config.ts';

/** A task of `size` parameters that nobody trains: what a worker sends back follows from `trainedSum` alone. */
export function transportTask(size: number): WorkerTask {
  return {
    data: dataConfig.parse({ kind: 'cifar10', path: 'none' }),
    dataFingerprint: 'none',
    seed: 1,
    local: localConfig.parse({ steps: 1, batchSize: 1, learningRate: 1 }),
    clipping: { mode: 'none', bound: 1 },
    gridStep: 1,
    layers: [{ name: 'w', shape: [size] }],
  };
}

/** What a client adds to the sum of parameter `index`, a grid integer; it depends on the parameter as it arrived. */
export function trainedSum(parameter: number, index: number, client: number): number {
  return parameter * (client + 1) - (index % 1000);
}

/** The opened task. */
export function transportContext(): ShardContext {
  let client = -1;
  return {
    seed: 1,
    local: transportTask(1).local,
    layers: 1,
    dataset: {
      task: { kind: 'classification', classes: ['a', 'b'], imageShape: [1, 1, 1] },
      population: 1000,
      client: (id) => {
        client = id;
        return { count: 1, fields: {} };
      },
      evaluation: () => ({ count: 0, fields: {} }),
      description: 'none',
    },
    trainer: { train: async (start) => ({ delta: vectorOf(start), loss: 0 }) },
    clipper: {
      addAll: (sum, deltas) =>
        deltas.map(({ delta }) => {
          const values = delta as Float32Array;
          for (let i = 0; i < sum.length; i++) sum[i]! += trainedSum(values[i]!, i, client);
          return { accepted: true, norms: [0], clipped: [0] };
        }),
    },
  };
}
