import { ModelError } from '../errors.ts';
import type { GraphBuilder } from './builder.ts';
import { type DropoutDraws, dropoutRatio } from './dropout.ts';
import {
  type Attribute,
  type Attributes,
  float32Tensor,
  type Graph,
  int,
  int64Tensor,
  intAttribute,
  type Model,
  type Node,
} from './ir.ts';
import { decompositionOf, operatorOf, outputsRead } from './operators/registry.ts';
import { isSequenceOperator, writeSequence } from './sequences.ts';

/** Oldest operator set whose remaining differences are covered here. */
export const oldestOpset = 11;

/**
 * Writes the nodes of a model into a builder in canonical (opset 21) form.
 * @param names what the model's inputs and weights are called in the builder; filled with the names of every other value
 * @returns the written nodes, for differentiation
 * @param dropout where masks come from in training; without it, dropout is off
 * @throws ModelError that lists every node with an operator dpfl does not know
 */
export function writeForward(
  b: GraphBuilder,
  model: Model,
  names: Map<string, string>,
  dropout?: DropoutDraws,
): readonly Node[] {
  const writer = new ForwardWriter(b, model, names, dropout);
  const first = b.nodes.length;
  for (const node of model.graph.nodes) writer.write(node);
  return b.nodes.slice(first);
}

/** `writeForward`, node by node. */
export class ForwardWriter {
  private readonly b: GraphBuilder;
  private readonly model: Model;
  private readonly names: Map<string, string>;
  private readonly dropout: DropoutDraws | undefined;
  private readonly sequences = new Map<string, readonly string[]>();

  constructor(b: GraphBuilder, model: Model, names: Map<string, string>, dropout?: DropoutDraws) {
    refuseUnknown(model);
    this.b = b;
    this.model = model;
    this.names = names;
    this.dropout = dropout;
    for (const [name, tensor] of model.graph.constants) {
      if (!names.has(name)) names.set(name, b.constant(tensor, b.has(name) ? b.unique(name) : name));
    }
  }

  /** Writes a node; those that it reads from have been written. */
  write(node: Node): void {
    if (isSequenceOperator(node.op)) {
      writeSequence(this.b, node, this.names, this.sequences);
      return;
    }
    const written = this.writeOutputs(node);
    for (const [i, output] of node.outputs.entries()) {
      if (output !== '' && written[i] !== undefined) this.names.set(output, written[i]);
    }
  }

  /** @returns what the builder calls the outputs */
  private writeOutputs(node: Node): readonly string[] {
    const { b, model, dropout } = this;
    const { attributes, inputs } = canonical(b, node, this.names);
    if (model.opset < 13 && (node.op === 'Softmax' || node.op === 'LogSoftmax')) {
      return [flatSoftmax(b, node, inputs[0]!)];
    }
    const joined = node.op === 'Concat' ? joinedConstants(b, inputs) : undefined;
    if (joined) return [joined];
    const ratio = dropout && node.op === 'Dropout' ? dropoutRatio(node, model) : 0;
    if (dropout && ratio > 0) return [b.within(node.name, () => dropout.apply(b, inputs[0]!, ratio))];
    const decomposition = decompositionOf(node.op);
    if (decomposition) return [b.within(node.name, () => decomposition.write(b, node, inputs, model.opset))];
    const respell = operatorOf(node.op)?.respell;
    return respell ? respell(b, node, inputs, attributes) : asItIs(b, node, inputs, attributes);
  }
}

function asItIs(b: GraphBuilder, node: Node, inputs: readonly string[], attributes: Attributes): readonly string[] {
  return b.node(node.op, inputs, attributes, {
    outputs: Math.max(outputsRead(node.op), node.outputs.length),
    domain: node.domain,
    name: b.has(node.name) ? undefined : node.name,
  });
}

function canonical(
  b: GraphBuilder,
  node: Node,
  names: ReadonlyMap<string, string>,
): { attributes: Attributes; inputs: string[] } {
  const inputs = node.inputs.map((name) => {
    if (name === '') return '';
    const known = names.get(name);
    if (!known)
      throw new ModelError(
        `node '${node.name}' (${node.op}) reads '${name}', which nothing produces; the file is damaged`,
      );
    return known;
  });
  const attributes: Record<string, Attribute> = { ...node.attributes };
  for (const [attribute, position] of operatorOf(node.op)?.attributesMadeInputs ?? []) {
    const value = attributes[attribute];
    if (!value) continue;
    delete attributes[attribute];
    while (inputs.length < position) inputs.push('');
    if (value.kind === 'ints') inputs[position] = b.constant(int64Tensor([value.value.length], value.value));
    if (value.kind === 'float') inputs[position] = b.constant(float32Tensor([], [value.value]));
  }
  // Up to operator set 17 the number of outputs alone said that a split is even.
  if (node.op === 'Split' && !inputs[1]) attributes.num_outputs = int(node.outputs.length);
  return { attributes, inputs };
}

/** The scales of a Resize, which exporters write as a Concat of constant float32 vectors. */
function joinedConstants(b: GraphBuilder, inputs: readonly string[]): string | undefined {
  const parts = inputs.map((input) => b.constantTensor(input));
  if (!parts.every((part) => part?.dtype === 'float32' && part.dims.length === 1)) return undefined;
  const values = parts.flatMap((part) => Array.from(part!.data as Float32Array));
  return b.constant(float32Tensor([values.length], values));
}

/** Up to operator set 12 a softmax ran over all axes from `axis` (default 1) on, taken together. */
function flatSoftmax(b: GraphBuilder, node: Node, x: string): string {
  const raw = intAttribute(node, 'axis', 1);
  const axis = raw < 0 ? raw + b.rank(x) : raw;
  if (axis === b.rank(x) - 1) return b.op(node.op, [x], { axis: int(-1) });
  const flat = b.op(node.op, [b.op('Flatten', [x], { axis: int(axis) })], { axis: int(-1) });
  return b.op('Reshape', [flat, b.shapeOf(x)]);
}

/** One finding about a node of a forward graph. */
export interface NodeProblem {
  readonly node: Node;
  readonly problem: string;
}

/** Nodes that cannot be written or differentiated, for `dpfl model inspect` and for errors. */
export function findProblems(graph: Graph): NodeProblem[] {
  return graph.nodes.flatMap((node) => {
    if (Object.values(node.attributes).some((attribute) => attribute.kind === 'graph')) {
      const squeeze = node.op === 'If' ? ' (squeeze(dim) of an open size becomes an If: take [:, 0] instead)' : '';
      const problem = `control flow in a forward graph is not supported; export the model without it${squeeze}`;
      return [{ node, problem }];
    }
    if (node.domain !== '')
      return [{ node, problem: `operator of domain '${node.domain}'; export with standard operators` }];
    const operator = operatorOf(node.op);
    const problem = operator?.problem?.(node);
    if (problem) return [{ node, problem }];
    if (operator?.decomposition || isSequenceOperator(node.op)) return [];
    if (!operator?.infer) return [{ node, problem: 'operator not supported' }];
    if (!operator.gradient) return [{ node, problem: 'no gradient rule' }];
    return [];
  });
}

function refuseUnknown({ graph, opset }: Model): void {
  if (opset < oldestOpset) {
    throw new ModelError(
      `the model uses operator set ${opset}; dpfl reads ${oldestOpset} and later: export it again with a newer opset, or convert it (onnx.version_converter)`,
    );
  }
  const problems = findProblems(graph).filter(({ problem }) => problem !== 'no gradient rule');
  if (problems.length === 0) return;
  const list = problems.map(({ node, problem }) => `${node.op} ('${node.name}'): ${problem}`).join('; ');
  throw new ModelError(`the model cannot be used: ${list}. Replace these nodes and export the model again`);
}
