import type { GraphBuilder } from './builder.ts';
import { int, intAttribute, intsAttribute, type Node } from './ir.ts';
import type { ClientData, MiniBatch } from './mini-batch.ts';
import { type GraphView, replacing, viewOf } from './rewrites/rewrite.ts';

/** Operators that treat every element by itself. */
const elementwise = new Set(
  'Cast Identity Neg Abs Sqrt Exp Log Relu Tanh Sigmoid Add Sub Mul Div Pow Clip Max Min Floor Not Equal Greater GreaterOrEqual Less LessOrEqual'.split(
    ' ',
  ),
);

/** Operators that cost nothing: not worth doing in another place. */
const free = new Set(['Gather', 'Flatten', 'Reshape', 'Identity']);

/**
 * What a local step computes from the client's data alone (pixels brought to a scale, labels spread to one-hot rows), example by example,
 * can be computed for all visits of the client at once, before the loop; the step then cuts its rows out.
 */
export class ClientVisits {
  private readonly outer: GraphBuilder;
  private readonly b: GraphBuilder;
  readonly batch: MiniBatch;
  private readonly data: ClientData;
  private readonly view: GraphView;
  /** Values inside the loop → what they are over all visits, as far as it has been written. */
  private readonly written = new Map<string, string>();

  /** Looks at the step as it stands now. */
  constructor(outer: GraphBuilder, b: GraphBuilder, batch: MiniBatch, data: ClientData) {
    this.outer = outer;
    this.b = b;
    this.batch = batch;
    this.data = data;
    this.view = viewOf(b, []);
  }

  /** Whether a value's rows [batch, …] follow from the same rows of the client's data alone. */
  has(value: string): boolean {
    const node = this.view.producer(value);
    if (!node || node.outputs.length > 1) return false;
    if (this.isGather(node)) return true;
    const [rows, ...others] = this.inputsOf(node);
    return rows !== undefined && others.every((other) => other === rows || this.isConstant(other)) && this.has(rows);
  }

  /** The value over all visits, [visits, …], written before the loop. Only of values that `has` knows. */
  over(value: string): string {
    const known = this.written.get(value);
    if (known !== undefined) return known;
    const node = this.view.producer(value)!;
    const overAll = (input: string) => (input === '' || this.isConstant(input) ? input : this.over(input));
    const write = () => {
      const [rows] = node.inputs as [string];
      if (this.isGather(node)) return this.outer.op('Gather', [rows, this.data.order], { axis: int(0) });
      if (node.op !== 'Reshape' && node.op !== 'Flatten')
        return this.outer.op(node.op, node.inputs.map(overAll), node.attributes);
      // The shape may be computed in the step; what it comes to is known.
      return this.outer.reshape(overAll(rows), [-1, ...(this.b.shape(value).slice(1) as number[])]);
    };
    const all = this.outer.within('visits', write);
    this.written.set(value, all);
    return all;
  }

  /** The step's rows of a matrix over all visits. */
  rowsOf(all: string): string {
    const { start, end } = this.batch;
    return this.b.op('Slice', [all, start, end, this.b.axes([0])]);
  }

  /** Moves what is worth it in front of the loop. */
  hoist(): void {
    const replaced = (node: Node) => {
      const value = node.outputs[0]!;
      if (!this.has(value) || !this.isWorth(node)) return undefined;
      const readers = this.view.readers(value);
      if (readers.length > 0 && readers.every((reader) => this.has(reader.outputs[0]!))) return undefined;
      return () => {
        const type = this.b.type(value);
        const { start, end } = this.batch;
        this.b.op('Slice', [this.over(value), start, end, this.b.axes([0])], {}, { outputNames: [value] });
        this.b.declare(value, type);
      };
    };
    replacing(replaced)(this.b, []);
  }

  /** A label costs less to cut out than to gather, once nothing else is gathered. */
  private isWorth(node: Node): boolean {
    if (this.isGather(node)) return this.b.rank(node.outputs[0]!) === 1;
    return !free.has(node.op) || this.inputsOf(node).some((input) => this.isWorthwhile(input));
  }

  private isWorthwhile(value: string): boolean {
    const node = this.view.producer(value);
    return node !== undefined && !this.isGather(node) && this.isWorth(node);
  }

  private isGather({ op, inputs }: Node): boolean {
    return op === 'Gather' && inputs[1] === this.batch.chosen && this.data.isField(inputs[0]!);
  }

  private isConstant(value: string): boolean {
    return this.b.constantTensor(value) !== undefined;
  }

  /** The rows that a node reads, before its other inputs; none when it does not keep rows to themselves. */
  private inputsOf(node: Node): readonly string[] {
    const { b } = this;
    const inputs = node.inputs.filter((input) => input !== '');
    const [first] = inputs;
    if (first === undefined || b.shape(node.outputs[0]!)[0] !== 'batch') return [];
    const rank = b.rank(first);
    switch (node.op) {
      case 'Flatten':
      case 'Reshape': {
        const sizes = [...b.shape(first), ...b.shape(node.outputs[0]!)].filter((size) => typeof size !== 'number');
        return sizes.every((size) => size === 'batch') && b.shape(first)[0] === 'batch' ? [first] : [];
      }
      case 'OneHot':
        return [-1, rank].includes(intAttribute(node, 'axis', -1)) ? inputs : [];
      case 'Unsqueeze':
        return inputs.length === 2 && b.knownIntegers(inputs[1]!)?.every((axis) => Number(axis) > 0) ? inputs : [];
      case 'Transpose':
        return intsAttribute(node, 'perm')?.[0] === 0 ? [first] : [];
      default: {
        const rows = inputs.find((input) => !this.isConstant(input));
        if (!elementwise.has(node.op) || rows === undefined) return [];
        const others = inputs.filter((input) => input !== rows);
        // A constant must not have values of its own for each row.
        const fits = others.every((other) => b.rank(other) < b.rank(rows) || b.shape(other)[0] === 1);
        return fits ? [rows, ...others] : [];
      }
    }
  }
}
