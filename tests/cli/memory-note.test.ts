import { expect, test } from '@jest/globals';
import { memoryNote } from '../../cli/memory-note.ts';
import type { ExampleBatch, FederatedDataset } from '../../data/dataset.ts';
import { buildCnn } from '../../models/cnn.ts';
import { buildTransformerCtc } from '../../models/transformer-ctc.ts';

/** A data set of which only the held-out examples are asked for. */
function heldOut(fields: ExampleBatch['fields']): FederatedDataset {
  return { evaluation: () => ({ count: 2, fields }) } as FederatedDataset;
}

test('says what one client needs, and of which batches', () => {
  const model = buildCnn({ kind: 'cnn', channels: [4], hidden: 8, imageShape: [3, 10, 10], classes: 5 }, 1);
  const note = memoryNote(model, heldOut({}), 20);
  expect(note).toMatch(
    /^memory of a worker for one client: about [\d.]+ KiB, parameters × 3 and [\d.]+ KiB of activations for mini-batches of 20; [\d.]+ KiB for deltas and their sum$/,
  );
});

test('takes sequences to be as long as the longest held out', () => {
  const settings = { filters: 8, vocabulary: 5, blocks: 1, width: 8, heads: 2, mlp: 16, stride: 1 };
  const model = buildTransformerCtc({ kind: 'transformer-ctc', ...settings }, 1);
  const features = (frames: number) => ({ type: 'float32' as const, dims: [2, frames, 8], data: new Float32Array() });
  const [short, long] = [50, 100].map((frames) => memoryNote(model, heldOut({ features: features(frames) }), 4)!);
  expect(short).toMatch(/mini-batches of 4 × 50 frames;/);
  const activations = (note: string) => {
    const [, value, unit] = /([\d.]+) ([KM])iB of activations/.exec(note)!;
    return Number(value) * (unit === 'M' ? 1024 : 1);
  };
  // Attention grows with the square of the length, everything else in proportion.
  expect(activations(long!)).toBeGreaterThan(1.9 * activations(short!));
  expect(activations(long!)).toBeLessThan(4.1 * activations(short!));
});
