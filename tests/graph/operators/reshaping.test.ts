import { describe, expect, test } from '@jest/globals';
import { GraphBuilder } from '../../../graph/builder.ts';
import { differentiate } from '../../../graph/differentiate.ts';
import { int } from '../../../graph/ir.ts';
import { dataTypeCode } from '../../../graph/onnx/tensor.ts';
import { describeGradients } from '../../support/finite-differences.ts';
import { reshapingCases } from './cases/reshaping.ts';

describeGradients('reshaping', reshapingCases);

describe('gradients of Cast', () => {
  /** The gradient of x where y = Cast(x, between) is cast back to float32. */
  function throughCast(between: 'float64' | 'int64') {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [2]);
    const cast = b.op('Cast', [x], { to: int(dataTypeCode(between)) });
    const y = b.op('Cast', [cast], { to: int(dataTypeCode('float32')) });
    const dy = b.input('dy', 'float32', [2]);
    const gradient = differentiate(b, [...b.nodes], new Map([[y, dy]]), new Set([x])).get(x);
    return { b, gradient };
  }

  test('between floating-point types it has the type of the input', () => {
    const { b, gradient } = throughCast('float64');
    expect(b.type(gradient!)).toEqual({ dtype: 'float32', shape: [2] });
  });

  test('rounding to integers lets none through', () => {
    expect(throughCast('int64').gradient).toBeUndefined();
  });
});
