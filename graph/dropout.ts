import { ModelError } from '../errors.ts';
import type { GraphBuilder } from './builder.ts';
import { add, mul } from './expressions.ts';
import { int, type Model, type Node, text, uint32Tensor } from './ir.ts';
import { dataTypeCode } from './onnx/tensor.ts';

/**
 * Random masks inside a graph. onnxruntime's own Dropout draws from a generator that every session keeps to itself; masks must depend on
 * nothing but the client's named stream. So each element's bits are a hash of (seed, step, node, element): the integer mixer lowbias32 of
 * C. Wellons (hash-prospector, 2018), which passes for uniform, twice with two keys.
 */
export class DropoutDraws {
  /** Name of a uint32 [2, nodes] value: two keys for each Dropout node. */
  readonly #keys: string;
  #nodes = 0;

  private constructor(keys: string) {
    this.#keys = keys;
  }

  /**
   * Writes the keys of one step.
   * @param seed uint32 [2], drawn once per client
   * @param step int64 scalar
   * @param nodes how many Dropout nodes there are
   */
  static write(b: GraphBuilder, seed: string, step: string, nodes: number): DropoutDraws {
    const numbers = Uint32Array.from({ length: 2 * nodes }, (_, i) => Math.imul(i + 1, GOLDEN) >>> 0);
    const steps = mul(b, b.op('Cast', [step], { to: int(dataTypeCode('uint32')) }), constant(b, STEP));
    const column = b.op('Unsqueeze', [seed, b.axes([1])]);
    const places = add(b, b.constant(uint32Tensor([2, nodes], numbers)), steps);
    return new DropoutDraws(mix(b, b.op('BitwiseXor', [mix(b, add(b, places, column)), column])));
  }

  /** x with every element set to 0 with probability `ratio`, the others scaled by 1 / (1 − ratio). */
  apply(b: GraphBuilder, x: string, ratio: number): string {
    const node = this.#nodes++;
    const [first, second] = [0, 1].map((row) => {
      const keys = b.op('Gather', [this.#keys, b.index(row)], { axis: int(0) });
      return b.op('Gather', [keys, b.index(node)], { axis: int(0) });
    }) as [string, string];
    const elements = b.op('Range', [b.index(0), b.op('Size', [x]), b.index(1)]);
    const counter = add(b, b.op('Cast', [elements], { to: int(dataTypeCode('uint32')) }), first);
    const bits = mix(b, b.op('BitwiseXor', [mix(b, counter), second]));
    const kept = b.op('GreaterOrEqual', [bits, constant(b, Math.min(2 ** 32 - 1, Math.round(ratio * 2 ** 32)))]);
    const factors = b.op('Where', [kept, b.scalar(1 / (1 - ratio)), b.scalar(0)]);
    return mul(b, x, b.op('Reshape', [factors, b.shapeOf(x)]));
  }
}

const GOLDEN = 0x9e3779b9;
const STEP = 0x85ebca6b;

/** lowbias32 on uint32 values. */
function mix(b: GraphBuilder, x: string): string {
  const shifted = (value: string, bits: number) =>
    b.op('BitwiseXor', [value, b.op('BitShift', [value, constant(b, bits)], { direction: text('RIGHT') })]);
  const once = mul(b, shifted(x, 16), constant(b, 0x7feb352d));
  const twice = mul(b, shifted(once, 15), constant(b, 0x846ca68b));
  return shifted(twice, 16);
}

function constant(b: GraphBuilder, value: number): string {
  return b.constant(uint32Tensor([], [value]));
}

/**
 * The part of elements that a Dropout node drops in training; 0 for one that the file switches off. Up to operator set 11 the operator
 * has no switch: exporters write it into models for training only.
 * @throws ModelError unless ratio and switch are constants
 */
export function dropoutRatio(node: Node, { graph, opset }: Pick<Model, 'graph' | 'opset'>): number {
  const constantOf = (position: number, fallback: number): number => {
    const name = node.inputs[position];
    if (!name) return fallback;
    const tensor = graph.constants.get(name);
    if (!tensor) {
      throw new ModelError(
        `node '${node.name}' (Dropout) computes its ${position === 1 ? 'ratio' : 'training mode'}; make it a constant`,
      );
    }
    return Number(tensor.data[0]);
  };
  const attribute = node.attributes.ratio;
  const ratio = attribute?.kind === 'float' ? attribute.value : constantOf(1, 0.5);
  const active = opset < 12 || constantOf(2, 0) !== 0;
  if (active && !(ratio >= 0 && ratio < 1))
    throw new ModelError(`node '${node.name}' (Dropout) has a ratio of ${ratio}; it must be in [0, 1)`);
  return active ? ratio : 0;
}

/** The Dropout nodes that drop something in training. */
export function activeDropouts(model: Pick<Model, 'graph' | 'opset'>): Node[] {
  return model.graph.nodes.filter((node) => node.op === 'Dropout' && dropoutRatio(node, model) > 0);
}

/** The model with its Dropout nodes switched off, for a file that is to be used and not trained on. */
export function withoutDropout(model: Model): Model {
  const nodes = model.graph.nodes.map((node) =>
    node.op === 'Dropout' && node.inputs[2] ? { ...node, inputs: node.inputs.slice(0, 2) } : node,
  );
  return { ...model, graph: { ...model.graph, nodes } };
}
