import { ModelError } from '../../errors.ts';
import type { Dim, Node, Tensor, ValueType } from '../ir.ts';
import { elementwiseShapes } from './elementwise.ts';
import { matrixShapes } from './matrix-shapes.ts';
import { movementShapes } from './movement-shapes.ts';
import { recurrentShapes } from './recurrent/shape.ts';
import { reductionShapes } from './reduced-shape.ts';
import type { Inferred, ShapeRule } from './shape-rule.ts';
import { windowShapes } from './windows.ts';

/** What a shape rule can ask about values already in the graph. */
export interface KnownValues {
  type(name: string): ValueType;
  knownIntegers(name: string): readonly Dim[] | undefined;
  constantTensor(name: string): Tensor | undefined;
}

const rules = new Map<string, ShapeRule>(
  Object.entries({
    ...elementwiseShapes,
    ...matrixShapes,
    ...movementShapes,
    ...recurrentShapes,
    ...reductionShapes,
    ...windowShapes,
  }),
);

/** Whether the types of this operator's outputs can be inferred. */
export function hasShapeRule(op: string): boolean {
  return rules.has(op);
}

/** Infers the output types of a node. @throws ModelError naming the node when its inputs do not fit the operator */
export function inferNode(node: Node, known: KnownValues): Inferred {
  const fail = (why: string) => new ModelError(`node '${node.name}' (${node.op}): ${why}`);
  const rule = rules.get(node.op);
  if (!rule) throw fail('no shape rule for this operator; see `dpfl model inspect` for the operators dpfl trains');
  const integers = (index: number) => {
    const name = node.inputs[index];
    return name ? known.knownIntegers(name) : undefined;
  };
  return rule({
    node,
    input: (index) => {
      const name = node.inputs[index];
      if (!name) throw fail(`input ${index} is missing`);
      return known.type(name);
    },
    hasInput: (index) => Boolean(node.inputs[index]),
    integers,
    numbers: (index, what) => {
      const values = integers(index);
      if (!values?.every((value) => typeof value === 'number'))
        throw fail(`${what} must be known when the graph is compiled`);
      return values as readonly number[];
    },
    constant: (index) => {
      const name = node.inputs[index];
      return name ? known.constantTensor(name) : undefined;
    },
    fail,
  });
}
