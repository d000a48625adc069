import type { ExampleBatch, TensorData } from '../data/dataset.ts';

/** The examples of several clients as those of one, behind each other: where they lie so in memory, without a copy. */
export function joinExamples(batches: readonly ExampleBatch[]): ExampleBatch {
  const [first] = batches as readonly [ExampleBatch, ...ExampleBatch[]];
  if (batches.length === 1) return first;
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const fields = Object.fromEntries(
    Object.keys(first.fields).map((name) => [name, joinField(batches.map(({ fields }) => fields[name]!))]),
  );
  return { count, fields };
}

/** Whether the examples of two clients can be joined: whether one example of each has the same sizes in every field. */
export function haveSameShape(a: ExampleBatch, b: ExampleBatch): boolean {
  return Object.entries(a.fields).every(([name, { dims }]) => {
    const others = b.fields[name]!.dims;
    return dims.length === others.length && dims.every((size, axis) => axis === 0 || size === others[axis]);
  });
}

function joinField(parts: readonly TensorData[]): TensorData {
  const [first] = parts as readonly [TensorData, ...TensorData[]];
  const dims = [parts.reduce((sum, part) => sum + part.dims[0]!, 0), ...first.dims.slice(1)];
  const length = parts.reduce((sum, { data }) => sum + data.length, 0);
  const { type } = first;
  return type === 'float32'
    ? {
        type,
        dims,
        data: joined(
          parts.map(({ data }) => data as Float32Array),
          length,
          Float32Array,
        ),
      }
    : {
        type,
        dims,
        data: joined(
          parts.map(({ data }) => data as Int32Array),
          length,
          Int32Array,
        ),
      };
}

type Numbers = Float32Array | Int32Array;
type NumbersConstructor<T extends Numbers> = {
  new (length: number): T;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
};

function joined<T extends Numbers>(parts: readonly T[], length: number, kind: NumbersConstructor<T>): T {
  const [first] = parts as readonly [T, ...T[]];
  const follow = parts.every(
    ({ buffer, byteOffset }, i) =>
      i === 0 || (buffer === first.buffer && byteOffset === parts[i - 1]!.byteOffset + parts[i - 1]!.byteLength),
  );
  if (follow) return new kind(first.buffer, first.byteOffset, length);
  const all = new kind(length);
  let at = 0;
  for (const part of parts) {
    all.set(part as never, at);
    at += part.length;
  }
  return all;
}
