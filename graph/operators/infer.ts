import { ModelError } from '../../errors.ts';
import type { Dim, Node, Tensor, ValueType } from '../ir.ts';
import { operatorOf } from './registry.ts';
import type { Inferred } from './shape-rule.ts';

/** What a shape rule can ask about values already in the graph. */
export interface KnownValues {
  type(name: string): ValueType;
  knownIntegers(name: string): readonly Dim[] | undefined;
  constantTensor(name: string): Tensor | undefined;
}

/** Infers the output types of a node. @throws ModelError naming the node when its inputs do not fit the operator */
export function inferNode(node: Node, known: KnownValues): Inferred {
  const fail = (why: string) => new ModelError(`node '${node.name}' (${node.op}): ${why}`);
  const infer = operatorOf(node.op)?.infer;
  if (!infer) throw fail('no shape rule for this operator; see `dpfl model inspect` for the operators dpfl trains');
  const integers = (index: number) => {
    const name = node.inputs[index];
    return name ? known.knownIntegers(name) : undefined;
  };
  return infer({
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
