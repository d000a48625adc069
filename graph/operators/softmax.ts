import { mul, reduceSum, sub } from '../expressions.ts';
import { int, intAttribute, stringAttribute, text } from '../ir.ts';
import { type GradientContext, type Operator, unary } from './operator.ts';
import { alongAxis, type ClientsRule } from './over-clients.ts';

const axisOf = ({ node }: GradientContext): number => intAttribute(node, 'axis', -1);

/** Each client's mean, from the losses of all examples. */
const lossOverClients: ClientsRule = ({ b, node, differs }) => {
  const [logits, labels] = node.inputs as [string, string];
  const classes = b.shape(logits).at(-1)!;
  if (node.inputs.length > 2 || Object.keys(node.attributes).length > 0) return undefined;
  if (!differs(0) || !differs(1) || b.rank(logits) !== 3 || typeof classes !== 'number') return undefined;
  const rows = [b.reshape(logits, [-1, classes]), b.reshape(labels, [-1])];
  const [losses, logProbabilities] = b.node(node.op, rows, { reduction: text('none') }, { outputs: 2 });
  const [loss, ofClients] = node.outputs;
  const each = b.op('Reshape', [losses!, b.shapeOf(labels)]);
  if (ofClients) {
    b.op('Reshape', [logProbabilities!, b.shapeOf(logits)], {}, { outputNames: [ofClients] });
  }
  b.op('ReduceMean', [each, b.axes([1])], { keepdims: int(0) }, { outputNames: [loss!] });
  return true;
};

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
  {
    // Written as the loss of classes: its mean over the batch, and the log-probabilities.
    op: 'SoftmaxCrossEntropyLoss',
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const mean = stringAttribute(context.node, 'reduction', 'mean') === 'mean';
      return {
        types: [
          { dtype, shape: mean ? [] : shape.slice(0, 1) },
          { dtype, shape },
        ],
      };
    },
    overClients: lossOverClients,
  },
];
