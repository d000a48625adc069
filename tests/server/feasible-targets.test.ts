import { describe, expect, test } from '@jest/globals';
import type { ExampleBatch } from '../../data/dataset.ts';
import { requireFeasibleTargets } from '../../server/feasible-targets.ts';

/** Ten utterances of equal length in frames, all with the same target. */
function spelled(target: readonly number[], frames: number): ExampleBatch {
  const count = 10;
  const targets = Int32Array.from({ length: count * target.length }, (_, i) => target[i % target.length]!);
  return {
    count,
    fields: {
      lengths: { type: 'int32', dims: [count], data: new Int32Array(count).fill(frames) },
      targets: { type: 'int32', dims: [count, target.length], data: targets },
      target_lengths: { type: 'int32', dims: [count], data: new Int32Array(count).fill(target.length) },
    },
  };
}

describe('requireFeasibleTargets', () => {
  test('one frame a symbol is enough', () => {
    expect(() => requireFeasibleTargets(4, spelled([1, 2, 3], 12))).not.toThrow();
    expect(() => requireFeasibleTargets(4, spelled([1, 2, 3], 9))).not.toThrow();
  });

  test('a shorter utterance is refused with the key and the mend', () => {
    expect(() => requireFeasibleTargets(4, spelled([1, 2, 3], 8))).toThrow(
      'model.stride: 4 leaves fewer frames than symbols in 10 of 10 held-out utterances; lower it',
    );
  });

  test('equal neighbours need a blank between them', () => {
    expect(() => requireFeasibleTargets(1, spelled([1, 1], 2))).toThrow('model.stride');
    expect(() => requireFeasibleTargets(1, spelled([1, 1], 3))).not.toThrow();
  });

  test('a few short recordings are tolerated', () => {
    const batch = spelled([1, 2, 3], 12);
    batch.fields.lengths!.data[0] = 1;
    expect(() => requireFeasibleTargets(4, batch)).not.toThrow();
  });
});
