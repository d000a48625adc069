import { describe, expect, test } from '@jest/globals';
import { haveSameShape, joinExamples } from '../../client/joined-examples.ts';
import type { ExampleBatch } from '../../data/dataset.ts';
import { FieldBuffers } from '../../data/field-buffers.ts';

/** Examples of two numbers and a label each. */
function batch(count: number, first: number, buffers = new FieldBuffers(), width = 2): ExampleBatch {
  const x = buffers.float32('x', width * count);
  const label = buffers.int32('label', count);
  for (let i = 0; i < x.length; i++) x[i] = first + i;
  for (let i = 0; i < count; i++) label[i] = first + i;
  return {
    count,
    fields: {
      x: { type: 'float32', dims: [count, width], data: x },
      label: { type: 'int32', dims: [count], data: label },
    },
  };
}

const expected = {
  count: 5,
  fields: {
    x: { type: 'float32', dims: [5, 2], data: Float32Array.of(10, 11, 12, 13, 20, 21, 22, 23, 24, 25) },
    label: { type: 'int32', dims: [5], data: Int32Array.of(10, 11, 20, 21, 22) },
  },
};

describe('examples of several clients', () => {
  test('stand behind each other, wherever they came from', () => {
    expect(joinExamples([batch(2, 10), batch(3, 20)])).toEqual(expected);
  });

  test('that lie behind each other in memory are not copied', () => {
    const buffers = new FieldBuffers();
    // Room for both.
    batch(5, 0, buffers);
    buffers.clear();
    const parts = [batch(2, 10, buffers), batch(3, 20, buffers)];
    const joined = joinExamples(parts);
    expect(joined).toEqual(expected);
    expect(joined.fields.x!.data.buffer).toBe(parts[0]!.fields.x!.data.buffer);
  });

  test('in one memory, but in another order or with a gap, are copied', () => {
    const buffers = new FieldBuffers();
    batch(8, 0, buffers);
    buffers.clear();
    const [later, _, earlier] = [batch(3, 20, buffers), batch(1, 0, buffers), batch(2, 10, buffers)];
    expect(joinExamples([earlier, later])).toEqual(expected);
    expect(joinExamples([later, earlier]).fields.label!.data).toEqual(Int32Array.of(20, 21, 22, 10, 11));
  });

  test('can be joined when one example has the same size', () => {
    expect(haveSameShape(batch(2, 0), batch(3, 0))).toBe(true);
    expect(haveSameShape(batch(2, 0), batch(2, 0, undefined, 3))).toBe(false);
  });
});
