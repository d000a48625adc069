import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { type LeasedClients, type LeaseTrainer, trainingHere } from '../../client/lease-trainer.ts';
import { openTask } from '../../client/open-task.ts';
import type { WorkerTask } from '../../client/task.ts';
import { openTrainingThread } from '../../client/training-thread.ts';
import { DataError, ModelError, ProtocolError } from '../../errors.ts';
import { sumOfBytes } from '../../proto/sums.ts';
import { describeBuilt } from '../support/command-line.ts';
import { artifact, firstParameters, task as imageTask } from '../support/image-task.ts';
import { task as common } from '../support/wire.ts';

const entry = new URL('../support/make-believe-thread.mjs', import.meta.url);
const clients = { slow: 11, withoutData: 12, bug: 13, exits: 14, throwsLater: 15 };
const size = 4;
const task: WorkerTask = { ...common, layers: [{ name: 'w', shape: [size] }] };
const never = new AbortController().signal;
const leaseOf = (...clientIds: number[]): LeasedClients => ({ round: 1, clientIds, settings: undefined });

const threads: LeaseTrainer[] = [];
afterEach(async () => {
  for (const thread of threads.splice(0)) await thread.close();
});

async function open(changes: Partial<WorkerTask> = {}): Promise<LeaseTrainer> {
  const thread = await openTrainingThread({ ...task, ...changes }, { onnx: new Uint8Array(8), layers: [] }, entry);
  threads.push(thread);
  thread.take(new Float32Array(size));
  return thread;
}

describeBuilt('a training thread', () => {
  test('comes to the bits that training in this thread comes to', async () => {
    const built = new URL('../../dist/client/training-thread-main.js', import.meta.url);
    const model = () => ({ ...artifact, onnx: artifact.onnx.slice() });
    const here = await trainingHere(openTask)(imageTask, model());
    const there = await openTrainingThread(imageTask, model(), built);
    threads.push(there);
    const results = [here, there].map(async (trainer) => {
      trainer.take(firstParameters());
      const { seconds, ...shard } = await trainer.train(leaseOf(0, 1, 2, 3, 4), never);
      return shard;
    });
    const [expected, shard] = await Promise.all(results);
    expect(shard).toEqual(expected);
    expect(shard!.payload.some((byte) => byte !== 0)).toBe(true);
  });

  test('trains leases from the parameters that it took last, which are its own; sums come whole', async () => {
    const thread = await open();
    for (const value of [1, 2 ** 33]) {
      const parameters = new Float32Array(size).fill(value);
      thread.take(parameters);
      expect(parameters.byteLength).toBe(0);
      for (const ids of [[1, 2], [3]]) {
        const { payload, contributed } = await thread.train(leaseOf(...ids), never);
        expect(contributed).toBe(ids.length);
        expect(payload.byteLength).toBe(payload.buffer.byteLength);
        const expected = ids.reduce((sum, id) => sum + Math.fround(value + id), 0);
        expect([...sumOfBytes(payload, value === 1)]).toEqual(Array(size).fill(expected));
      }
    }
  });

  test('leaves this one its turns in the middle of a run', async () => {
    const thread = await open();
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 20);
    await thread.train(leaseOf(clients.slow), never);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });

  test('an aborted lease ends at once here, and there before the next client', async () => {
    const thread = await open();
    const controller = new AbortController();
    const lease = thread.train(leaseOf(clients.slow, 1, 2, 3), controller.signal);
    const began = performance.now();
    await sleep(50);
    controller.abort(new ProtocolError('the server is gone'));
    await expect(lease).rejects.toThrow('the server is gone');
    const rejected = performance.now() - began;
    const { lossSum } = await thread.train(leaseOf(5), never);
    // The next lease has to wait for the run under way.
    expect(rejected).toBeLessThan((performance.now() - began) / 2);
    expect(lossSum).toBe(2);
    await expect(thread.train(leaseOf(1), controller.signal)).rejects.toThrow('the server is gone');
  });

  test('is gone when it is closed, though not before the end of a run', async () => {
    const thread = await open();
    const began = performance.now();
    const lease = thread.train(leaseOf(clients.slow, 1), never);
    const settled = expect(lease).rejects.toThrow();
    await sleep(50);
    await thread.close();
    expect(performance.now() - began).toBeGreaterThan(350);
    await settled;
    await expect(thread.train(leaseOf(1), never)).rejects.toThrow('ended by itself, with code 0');
    await thread.close();
  });

  test('hands over typed errors as what they are, and goes on', async () => {
    const thread = await open();
    const lease = thread.train(leaseOf(clients.withoutData), never);
    await expect(lease).rejects.toThrow(DataError);
    await expect(lease).rejects.toThrow('client 12 in round 1 cannot be trained: clip.wav: torn');
    await expect(thread.train(leaseOf(1000), never)).rejects.toThrow(ProtocolError);
    expect((await thread.train(leaseOf(1), never)).contributed).toBe(1);
  });

  test('hands over the stack of an error that nobody thought of', async () => {
    const thread = await open();
    const error = await thread.train(leaseOf(clients.bug), never).catch((error: unknown) => error as Error);
    expect(error).toMatchObject({
      message: 'nobody thought of it',
      stack: expect.stringMatching(/^TypeError: nobody thought of it\n.*make-believe-thread\.mjs:\d+/),
    });
  });

  test('says why it cannot open a task', async () => {
    const opening = open({ dataFingerprint: 'another' });
    await expect(opening).rejects.toThrow(ModelError);
    await expect(opening).rejects.toMatchObject({ message: 'made for blocks of 8', cause: { message: 'the cause' } });
  });

  test.each([
    [clients.exits, 'ended by itself, with code 7'],
    [clients.throwsLater, 'Cannot read properties of undefined'],
  ])('that dies of client %i is an error, now and later', async (client, message) => {
    const thread = await open();
    await expect(thread.train(leaseOf(1, client), never)).rejects.toThrow(message);
    await expect(thread.train(leaseOf(1), never)).rejects.toThrow(message);
    await thread.close();
  });

  test('without a program is an error', async () => {
    const nowhere = new URL('./nowhere.mjs', import.meta.url);
    const opening = openTrainingThread(task, { onnx: new Uint8Array(8), layers: [] }, nowhere);
    await expect(opening).rejects.toThrow(/Cannot find module/);
  });
});
