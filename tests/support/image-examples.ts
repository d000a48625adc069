import type { ExampleBatch } from '../../data/dataset.ts';
import { elementCount } from '../../graph/ir.ts';
import { namedStream } from '../../random/stream.ts';

/** A client's images, values in [−1, 1), and labels, the same for the same key. */
export function imageExamples(
  key: string,
  count: number,
  imageShape: readonly number[],
  classes: number,
): ExampleBatch {
  const stream = namedStream('image examples', key);
  const image = Float32Array.from({ length: count * elementCount(imageShape) }, () => 2 * stream.uniform() - 1);
  const label = Int32Array.from({ length: count }, () => stream.integer(classes));
  return {
    count,
    fields: {
      image: { type: 'float32', dims: [count, ...imageShape], data: image },
      label: { type: 'int32', dims: [count], data: label },
    },
  };
}
