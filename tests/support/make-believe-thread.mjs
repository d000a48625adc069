import { parentPort, workerData } from 'node:worker_threads';
import { serveTraining } from '../../dist/client/serve-training.js';
import { DataError, ModelError } from '../../dist/errors.js';

/**
 * A training thread on the built code, whose clients do what a test wants to see. A delta is the parameters plus the client's id; the loss
 * counts the clients that the thread has trained. training-thread.test.ts names the same clients.
 */
const clients = { slow: 11, withoutData: 12, bug: 13, exits: 14, throwsLater: 15 };

let trained = 0;
let current = -1;
const context = {
  seed: 1,
  local: workerData.task.local,
  layers: 1,
  sum: new Float64Array(workerData.task.layers[0].shape[0]),
  dataset: {
    population: 1000,
    client: (id) => {
      if (id === clients.withoutData) throw new DataError('clip.wav: torn');
      current = id;
      return { count: 1, fields: {} };
    },
  },
  trainer: {
    train: async (parameters) => {
      // Like onnxruntime: the thread hears nothing meanwhile.
      if (current === clients.slow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
      if (current === clients.exits) process.exit(7);
      if (current === clients.throwsLater) setTimeout(() => undefined.property);
      if (current === clients.throwsLater) await new Promise(() => undefined);
      trained += 1;
      return { delta: parameters.map((value) => value + current), loss: trained };
    },
  },
  clipper: {
    addAll: (sum, deltas) =>
      deltas.map(({ delta }) => {
        if (current === clients.bug) throw new TypeError('nobody thought of it');
        for (let i = 0; i < sum.length; i++) sum[i] += delta[i];
        return { accepted: true, norms: [0], clipped: [0] };
      }),
  },
};

await serveTraining(parentPort, workerData, async ({ dataFingerprint }) => {
  if (dataFingerprint === 'another') throw new ModelError('made for blocks of 8', { cause: new Error('the cause') });
  return context;
});
