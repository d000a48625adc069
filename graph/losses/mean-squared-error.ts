import type { GraphBuilder } from '../builder.ts';
import { mul, scale, sub } from '../expressions.ts';
import { int } from '../ir.ts';
import type { LossValues } from './loss.ts';

/**
 * Mean over all elements of (output − target)².
 * @param target float32, shape of the output
 */
export function meanSquaredError(b: GraphBuilder, output: string, target: string): LossValues {
  const difference = sub(b, output, target);
  const count = b.op('Cast', [b.op('Size', [output])], { to: int(1) });
  const loss = b.op('ReduceMean', [mul(b, difference, difference)], { keepdims: int(0) });
  return { loss, logitsGradient: b.op('Div', [scale(b, difference, 2), count]) };
}
