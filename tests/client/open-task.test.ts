import { describe, expect, test } from '@jest/globals';
import { openTask } from '../../client/open-task.ts';
import { processorBlock } from '../../client/processor-block.ts';
import { ModelError } from '../../errors.ts';
import { artifact, task } from '../support/image-task.ts';

describe('opening a task', () => {
  test('a step for this processor, or for all, is opened; sums are written where the kernels reach', async () => {
    for (const block of new Set([undefined, await processorBlock()])) {
      const { sum, layers } = await openTask({ ...task, block }, artifact);
      expect([sum?.length, layers]).toEqual([
        artifact.layers.reduce((n, { shape }) => n + shape.reduce((a, b) => a * b), 0),
        4,
      ]);
    }
  });

  test('a step for another kind of processor is refused with the mend: it would give wrong numbers', async () => {
    const other = (await processorBlock()) === 8 ? 16 : 8;
    const opening = openTask({ ...task, block: other }, artifact);
    await expect(opening).rejects.toThrow(ModelError);
    await expect(opening).rejects.toThrow(/made for blocks of (8|16); .*federation\.kernels: portable/);
  });
});
