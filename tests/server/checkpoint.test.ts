import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type Checkpoint, loadCheckpoint, newestCheckpoint, saveCheckpoint } from '../../server/checkpoint.ts';
import { temporaryDirectory } from './toy-run.ts';

/** Values that a careless format would spoil: signed zero, subnormals, the extremes. */
function checkpoint(round: number): Checkpoint {
  return {
    round,
    configHash: 'abc',
    parameters: Float32Array.of(round, -0, 1e-45, 3.4e38, 0.1),
    optimizer: { steps: round, slots: { mean: Float32Array.of(1, 2, 3, 4, 5), variance: new Float32Array(5) } },
    privacy: { noise: Float64Array.of(Math.PI, -0, 2 ** 52 + 1) },
  };
}

describe('checkpoints', () => {
  test('come back bit by bit', async () => {
    const path = await saveCheckpoint(await temporaryDirectory(), checkpoint(12), 2);
    expect(await loadCheckpoint(path)).toEqual(checkpoint(12));
    expect(Object.is((await loadCheckpoint(path)).parameters[1], -0)).toBe(true);
  });

  test('an optimizer without memory, and parameters that are a view, are saved too', async () => {
    const parameters = new Float32Array([7, 8, 9, 10]).subarray(1, 3);
    const state = { ...checkpoint(1), parameters, optimizer: { steps: 1, slots: {} } };
    const loaded = await loadCheckpoint(await saveCheckpoint(await temporaryDirectory(), state, 2));
    expect(loaded).toEqual({ ...state, parameters: Float32Array.of(8, 9) });
  });

  test('only the newest are kept, and what a crash left is cleared away', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'round-000001.ckpt.tmp-99'), 'torn');
    await writeFile(join(directory, 'notes.txt'), 'mine');
    for (const round of [2, 4, 6, 8]) await saveCheckpoint(directory, checkpoint(round), 2);
    expect((await readdir(directory)).sort()).toEqual(['notes.txt', 'round-000006.ckpt', 'round-000008.ckpt']);
  });

  test('the newest is found by number', async () => {
    const directory = await temporaryDirectory();
    for (const round of [9, 10, 1_000_000]) await saveCheckpoint(directory, checkpoint(round), 5);
    expect((await newestCheckpoint(directory))?.round).toBe(1_000_000);
  });

  test('a directory without checkpoints has none', async () => {
    expect(await newestCheckpoint(await temporaryDirectory())).toBeUndefined();
    expect(await newestCheckpoint('/nowhere/at/all')).toBeUndefined();
  });

  test('a torn newest checkpoint is passed over, and said so', async () => {
    const directory = await temporaryDirectory();
    await saveCheckpoint(directory, checkpoint(3), 5);
    const torn = await saveCheckpoint(directory, checkpoint(5), 5);
    await truncate(torn, (await readFile(torn)).length - 40);
    const damaged: string[] = [];
    const found = await newestCheckpoint(directory, ({ message }) => damaged.push(message));
    expect(found?.round).toBe(3);
    expect(damaged).toEqual([expect.stringContaining(torn)]);
  });

  test('when every checkpoint is damaged, that is an error and not a fresh start', async () => {
    const directory = await temporaryDirectory();
    await writeFile(await saveCheckpoint(directory, checkpoint(3), 5), 'DPFLCKPT and then something else');
    await expect(newestCheckpoint(directory)).rejects.toThrow('none of the 1 checkpoints is whole');
  });

  test('every cut and every flipped byte is noticed, and the error names the file', async () => {
    const directory = await temporaryDirectory();
    const path = await saveCheckpoint(directory, checkpoint(3), 5);
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at += 7) {
      await writeFile(path, whole.subarray(0, at));
      await expect(loadCheckpoint(path)).rejects.toThrow(path);
      const flipped = Buffer.from(whole);
      flipped[at] ^= 1;
      await writeFile(path, flipped);
      await expect(loadCheckpoint(path)).rejects.toThrow(path);
    }
  });

  test('a missing file is a data error', async () => {
    await expect(loadCheckpoint('/nowhere/round-000001.ckpt')).rejects.toThrow('cannot be opened');
  });
});
