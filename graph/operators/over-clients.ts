import { type Attributes, int, intAttribute, type Node } from '../ir.ts';
import type { GraphWriter } from '../writer.ts';

/** What a rule for several clients at once sees of a node. */
export interface ClientsContext {
  /** Writes the new graph. Values keep their names; those that differ from client to client have an axis of clients in front. */
  readonly b: GraphWriter;
  /** As it stands in the graph of one client. */
  readonly node: Node;
  /** Whether an input differs from client to client. */
  readonly differs: (index: number) => boolean;
  /** Rank of an input for one client. */
  readonly rank: (index: number) => number;
  /** A value that all clients share, with the axis of clients in front. */
  readonly spread: (value: string) => string;
  /** Writes the node that gives the outputs. */
  readonly write: (op: string, inputs: readonly string[], attributes?: Attributes, domain?: string) => void;
}

/**
 * Writes a node, some of whose inputs differ from client to client, for all clients at once (the batching rule of JAX's vmap).
 * @returns whether its outputs then differ from client to client; undefined when it cannot be written
 */
export type ClientsRule = (context: ClientsContext) => boolean | undefined;

/** An axis of one client's value in the value of all. */
export const behindClients = (axis: number): number => (axis < 0 ? axis : axis + 1);

/** An own value of one client with axes of size 1 behind the clients, so that it lines up with values of a higher rank. */
export function raised(b: GraphWriter, value: string, rank: number, to: number): string {
  if (rank >= to) return value;
  return b.op('Unsqueeze', [value, b.axes(Array.from({ length: to - rank }, (_, i) => i + 1))]);
}

/** The rule of operators that treat every element by itself, operands of lower rank repeated. */
export const elementByElement: ClientsRule = ({ b, node, differs, rank, write }) => {
  const ranks = node.inputs.map((input, i) => (input === '' ? 0 : rank(i)));
  const widest = Math.max(...ranks);
  const inputs = node.inputs.map((input, i) => (differs(i) ? raised(b, input, ranks[i]!, widest) : input));
  write(node.op, inputs, node.attributes);
  return true;
};

/** The rule of operators that work along the axis an attribute names, on their first input. */
export function alongAxis(fallback: number): ClientsRule {
  return (context) => {
    const { node, write } = context;
    if (!onlyFirstDiffers(context)) return undefined;
    write(node.op, node.inputs, { ...node.attributes, axis: int(behindClients(intAttribute(node, 'axis', fallback))) });
    return true;
  };
}

/** The same for operators all of whose inputs take part: what clients share is handed to each. */
export function alongAxisOfAll(fallback: number): ClientsRule {
  return ({ node, differs, spread, write }) => {
    const inputs = node.inputs.map((input, i) => (differs(i) ? input : spread(input)));
    write(node.op, inputs, { ...node.attributes, axis: int(behindClients(intAttribute(node, 'axis', fallback))) });
    return true;
  };
}

/** Whether the first input is the only one that differs from client to client. */
export function onlyFirstDiffers({ node, differs }: ClientsContext): boolean {
  return node.inputs.every((_, i) => differs(i) === (i === 0));
}

/** The axes that an input names, behind that of the clients; undefined when they are not known. */
export function axesBehindClients({ b, node }: ClientsContext, index: number): readonly number[] | undefined {
  const axes = b.knownIntegers(node.inputs[index]!);
  return axes?.every((axis) => typeof axis === 'number') ? (axes as number[]).map(behindClients) : undefined;
}
