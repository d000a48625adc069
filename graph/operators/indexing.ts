import { ModelError } from '../../errors.ts';
import { int, intAttribute, stringAttribute, text } from '../ir.ts';
import { type GradientContext, type GradientRule, type Gradients, unaryRule } from './operator.ts';

function zerosLike({ b }: GradientContext, value: string): string {
  return b.op('ConstantOfShape', [b.shapeOf(value)]);
}

/** Elements that were picked several times get the sum. */
const summed = { reduction: text('add') };

function gatherNDGradient(context: GradientContext): string {
  const { b, node, x, dy } = context;
  if (intAttribute(node, 'batch_dims', 0) !== 0) {
    throw new ModelError(
      `node '${node.name}' (GatherND): batch_dims other than 0 has no gradient; put the batch index into the indices`,
    );
  }
  return b.op('ScatterND', [zerosLike(context, x(0)), x(1), dy], summed);
}

/** Written elements get their gradient from the update, or from both when the update was added. */
function scatterGradients(
  context: GradientContext,
  write: (target: string, updates: string) => string,
  read: (source: string) => string,
): Gradients {
  const { node, x, dy, needs } = context;
  const reduction = stringAttribute(node, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') {
    throw new ModelError(
      `node '${node.name}' (${node.op}): reduction '${reduction}' has no gradient; only 'none' and 'add' can be trained`,
    );
  }
  const kept = () => (reduction === 'add' ? dy : write(dy, zerosLike(context, x(2))));
  return [needs(0) ? kept() : undefined, undefined, needs(2) ? read(dy) : undefined];
}

export const indexingRules: readonly GradientRule[] = [
  {
    op: 'TopK',
    reads: ['y1'],
    gradient: (c) => {
      const axis = int(intAttribute(c.node, 'axis', -1));
      if (!c.dys[0]) return [];
      return [c.b.op('ScatterElements', [zerosLike(c, c.x(0)), c.y(1), c.dy], { ...summed, axis })];
    },
  },
  unaryRule('ReverseSequence', ['x1'], ({ b, node, x, dy }) => b.op('ReverseSequence', [dy, x(1)], node.attributes)),
  unaryRule('GatherElements', ['x1'], (c) => {
    const axis = int(intAttribute(c.node, 'axis', 0));
    return c.b.op('ScatterElements', [zerosLike(c, c.x(0)), c.x(1), c.dy], { ...summed, axis });
  }),
  unaryRule('GatherND', ['x1'], gatherNDGradient),
  {
    op: 'ScatterElements',
    reads: ['x1'],
    gradient: (c) => {
      const axis = { axis: int(intAttribute(c.node, 'axis', 0)) };
      return scatterGradients(
        c,
        (target, updates) => c.b.op('ScatterElements', [target, c.x(1), updates], axis),
        (source) => c.b.op('GatherElements', [source, c.x(1)], axis),
      );
    },
  },
  {
    op: 'ScatterND',
    reads: ['x1'],
    gradient: (c) =>
      scatterGradients(
        c,
        (target, updates) => c.b.op('ScatterND', [target, c.x(1), updates]),
        (source) => c.b.op('GatherND', [source, c.x(1)]),
      ),
  },
];
