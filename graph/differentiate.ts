import { ModelError } from '../errors.ts';
import type { GraphBuilder } from './builder.ts';
import type { Node } from './ir.ts';
import type { Gradients } from './operators/operator.ts';
import { gradientRule, isFlat } from './operators/registry.ts';

/**
 * Reverse-mode differentiation: writes the backward nodes of `nodes` behind them.
 * @param seeds gradients of the loss with respect to some values, for instance the logits
 * @param wanted the values whose gradients are asked for, for instance the weights
 * @param batchSize largest mini-batch to expect; no gradient depends on it but for rounding. Default: a small one
 * @returns the gradient of each wanted value; a value the loss does not depend on is missing
 * @throws ModelError that lists every node without a gradient between the wanted values and the loss
 */
export function differentiate(
  b: GraphBuilder,
  nodes: readonly Node[],
  seeds: ReadonlyMap<string, string>,
  wanted: ReadonlySet<string>,
  batchSize = 1,
): Map<string, string> {
  const active = dependents(b, nodes, wanted);
  const contributions = new Map<string, string[]>();
  for (const [value, gradient] of seeds) contributions.set(value, [gradient]);
  const path = backwardPath(nodes, active, new Set(seeds.keys()));
  const refusals = unknownOperators(path);
  for (const node of path) {
    const dys = node.outputs.map((output) => total(b, output, contributions.get(output)));
    const first = dys[0] ?? dys.find((gradient) => gradient !== undefined);
    const rule = gradientRule(node.op);
    if (first === undefined || rule === undefined) continue;
    const write = () =>
      rule.write({
        b,
        node,
        x: (index) => node.inputs[index]!,
        y: (index = 0) => node.outputs[index]!,
        dy: first,
        dys,
        needs: (index) => active.has(node.inputs[index] ?? ''),
        batchSize,
      });
    const gradients = b.within(`grad/${node.name}`, () => refusing(write, node, refusals));
    for (const [i, gradient] of gradients.entries()) {
      const input = node.inputs[i];
      if (!gradient || !input || !active.has(input)) continue;
      contributions.set(input, [...(contributions.get(input) ?? []), gradient]);
    }
  }
  if (refusals.length > 0) {
    const list = refusals.join('; ');
    throw new ModelError(
      `the model cannot be trained: ${list}; replace these operators, or freeze every weight before them`,
    );
  }
  const found = [...wanted].flatMap((value) => {
    const gradient = total(b, value, contributions.get(value));
    return gradient === undefined ? [] : [[value, gradient] as const];
  });
  return new Map(found);
}

/** The sum of the contributions to a value's gradient, from every node that reads it. */
function total(b: GraphBuilder, value: string, contributions: readonly string[] | undefined): string | undefined {
  if (!contributions) return undefined;
  return b.within(`grad/sum/${value}`, () => contributions.reduce((sum, part) => b.op('Add', [sum, part])));
}

/** Floating-point values that depend on a wanted value through differentiable nodes, the wanted ones included. */
function dependents(b: GraphBuilder, nodes: readonly Node[], wanted: ReadonlySet<string>): Set<string> {
  const active = new Set(wanted);
  for (const node of nodes) {
    if (isFlat(node.op) || !node.inputs.some((input) => active.has(input))) continue;
    for (const output of node.outputs) {
      if (output !== '' && b.type(output).dtype.startsWith('float')) active.add(output);
    }
  }
  return active;
}

/** The nodes through which gradient flows from the seeds to wanted values, last first. */
function backwardPath(nodes: readonly Node[], active: ReadonlySet<string>, seeds: ReadonlySet<string>): Node[] {
  const reached = new Set(seeds);
  const path: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (isFlat(node.op)) continue;
    if (!node.outputs.some((output) => reached.has(output))) continue;
    const inputs = node.inputs.filter((input) => active.has(input));
    if (inputs.length === 0) continue;
    path.push(node);
    for (const input of inputs) reached.add(input);
  }
  return path;
}

/** One line about all nodes whose operator has no rule. */
function unknownOperators(path: readonly Node[]): string[] {
  const unknown = path.filter((node) => !gradientRule(node.op));
  return unknown.length === 0
    ? []
    : [`no gradient rule for ${unknown.map(({ op, name }) => `${op} ('${name}')`).join(', ')}`];
}

/**
 * Notes a rule's refusal of its node, so that all of them can be told at once. The inputs stand in for their own gradients, which
 * have the same shapes, for the nodes before to be tried as well.
 */
function refusing(write: () => Gradients, node: Node, refusals: string[]): Gradients {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    refusals.push(error.message);
    return node.inputs;
  }
}
