import { mul, reduceSum, sub } from '../expressions.ts';
import { intAttribute } from '../ir.ts';
import { type GradientContext, type Operator, unary } from './operator.ts';
import { alongAxis } from './over-clients.ts';

const axisOf = ({ node }: GradientContext): number => intAttribute(node, 'axis', -1);

export const softmaxOperators: readonly Operator[] = [
  {
    ...unary('Softmax', ['y0'], (c) => {
      const { b, y, dy } = c;
      return mul(b, y(), sub(b, dy, reduceSum(b, mul(b, dy, y()), [axisOf(c)])));
    }),
    overClients: alongAxis(-1),
  },
  {
    ...unary('LogSoftmax', ['y0'], (c) => {
      const { b, y, dy } = c;
      return sub(b, dy, mul(b, b.op('Exp', [y()]), reduceSum(b, dy, [axisOf(c)])));
    }),
    overClients: alongAxis(-1),
  },
];
