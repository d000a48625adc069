import { describe, expect, test } from '@jest/globals';
import { type LeasedClients, trainingHere } from '../../client/lease-trainer.ts';
import { ProtocolError } from '../../errors.ts';
import { sumOfBytes } from '../../proto/sums.ts';
import { deltaOf, fakeContext, parameters, task } from '../support/wire.ts';

const model = { onnx: new Uint8Array(1), layers: task.layers };
const never = new AbortController().signal;
const leaseOf = (...clientIds: number[]): LeasedClients => ({ round: 1, clientIds, settings: undefined });

describe('a trainer of leases in the thread that calls', () => {
  test('starts from the parameters that it took last', async () => {
    const trainer = await trainingHere(async () => fakeContext())(task, model);
    for (const scale of [1, 2]) {
      const theta = parameters().map((value) => scale * value);
      trainer.take(theta);
      const { payload, contributed } = await trainer.train(leaseOf(3), never);
      expect(contributed).toBe(1);
      expect([...sumOfBytes(payload, true)]).toEqual(deltaOf(3, theta));
    }
  });

  // The second needs 8 bytes a value, of which `bytesOfSum` gives a view.
  test.each([1, 2 ** 40])('keeps a sum out of the memory of the next, in units of %d', async (unit) => {
    const sum = new Float64Array(20).subarray(4, 4 + parameters().length);
    const trainer = await trainingHere(async () => ({ ...fakeContext(), sum }))(task, model);
    const theta = parameters().map((value) => unit * value);
    trainer.take(theta);
    const shards = [await trainer.train(leaseOf(3), never), await trainer.train(leaseOf(4), never)];
    for (const [i, { payload }] of shards.entries()) {
      expect(payload.byteLength).toBe(payload.buffer.byteLength);
      expect([...sumOfBytes(payload, unit === 1)]).toEqual([...Float32Array.from(deltaOf(3 + i, theta))]);
    }
  });

  test('refuses settings of a round that the task does not know', async () => {
    const trainer = await trainingHere(async () => fakeContext())(task, model);
    const settings = { clipping: task.clipping, gridStep: 1 } as const;
    await expect(trainer.train({ ...leaseOf(1), settings }, never)).rejects.toThrow(ProtocolError);
  });

  test('throws what opening throws', async () => {
    const opening = trainingHere(async () => {
      throw new ProtocolError('no');
    })(task, model);
    await expect(opening).rejects.toThrow('no');
  });
});
