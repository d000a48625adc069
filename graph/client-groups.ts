import { type GraphBuilder, namesRead } from './builder.ts';
import { type Attributes, type Graph, int, type Node } from './ir.ts';
import type { ClientsContext } from './operators/over-clients.ts';
import { operatorOf } from './operators/registry.ts';
import { shareCommonSubexpressions } from './rewrites/common-subexpressions.ts';
import { removeDeadCode } from './rewrites/dead-code.ts';

/** More clients in one run gain nothing: what one costs beside its numbers is then small. */
const mostClients = 8;

/** Bytes that the deltas of a run's clients may take: beyond a processor's cache, a run of several is no faster than several runs. */
const deltaBytes = 2 ** 22;

/** How many clients of a model one run of the training graph is to take; the same everywhere, and no bit of any result depends on it. */
export function clientsPerRun(parameters: number): number {
  return Math.max(1, Math.min(mostClients, Math.floor(deltaBytes / (4 * parameters))));
}

/**
 * Writes local training of one client anew, for several clients with schedules of the same form in one run: what differs from client to
 * client gets an axis of clients in front (as JAX's vmap does), by each operator's own rule. Small models take half the time: a node costs as much for eight clients as for one.
 */
export class ClientGroups {
  /** Values that differ from client to client. */
  private readonly own = new Set<string>();
  private readonly inputs: readonly string[];
  /** int64 [1]: how many clients. */
  private clients = '';

  /** @param inputs those that differ, at least one: [visits] becomes [clients, visits] */
  constructor(inputs: readonly string[]) {
    this.inputs = inputs;
  }

  /**
   * @param source the whole graph of one client
   * @param body knows the types of the values in its loop
   * @param outputs what the graph gives; what the loop gives per step, [steps], becomes [steps, clients], the rest [clients, …]
   * @returns the graph for several; undefined when an operator has no rule, or the model gives something else
   */
  write(source: GraphBuilder, body: GraphBuilder, outputs: readonly string[]): GraphBuilder | undefined {
    const b = source.successor();
    for (const [name, tensor] of source.constants) b.constant(tensor, name);
    for (const { name, dtype, shape } of source.inputs) {
      b.input(name, dtype, this.inputs.includes(name) ? ['clients', ...shape] : shape);
    }
    for (const input of this.inputs) this.own.add(input);
    this.clients = b.op('Shape', [this.inputs[0]!], { start: int(0), end: int(1) });
    if (!this.writeNodes(source, b, source.nodes, body)) return undefined;
    return outputs.every((output) => this.own.has(output)) ? b : undefined;
  }

  private writeNodes(from: GraphBuilder, to: GraphBuilder, nodes: readonly Node[], body?: GraphBuilder): boolean {
    return nodes.every((node) => {
      const graph = node.attributes.body;
      if (node.op === 'Loop' && body && graph?.kind === 'graph') return this.writeLoop(to, node, graph.value, body);
      return this.writeNode(from, to, node);
    });
  }

  private writeNode(from: GraphBuilder, to: GraphBuilder, node: Node): boolean {
    if (!namesRead(node).some((name) => this.own.has(name))) {
      to.nodes.push(node);
      for (const output of node.outputs) if (output !== '') to.declare(output, from.type(output));
      return true;
    }
    const write = (op: string, inputs: readonly string[], attributes: Attributes = {}, domain = '') => {
      to.node(op, inputs, attributes, { outputNames: node.outputs, name: node.name, domain });
    };
    const context: ClientsContext = {
      b: to,
      node,
      differs: (i) => this.own.has(node.inputs[i]!),
      rank: (i) => from.rank(node.inputs[i]!),
      spread: (value) => this.spread(to, value),
      write,
    };
    const differs = to.within(scopeOf(node), () => operatorOf(node.op)?.overClients?.(context));
    if (differs === undefined) return false;
    for (const output of node.outputs) {
      if (output === '') continue;
      const { dtype, shape } = from.type(output);
      to.declare(output, { dtype, shape: differs ? ['clients', ...shape] : shape });
      if (differs) this.own.add(output);
    }
    return true;
  }

  /** All that the loop hands on differs: weights are the same before the first step alone. */
  private writeLoop(to: GraphBuilder, node: Node, graph: Graph, source: GraphBuilder): boolean {
    const [steps, always, ...initial] = node.inputs as [string, string, ...string[]];
    if (this.own.has(steps)) return false;
    const b = to.subgraph();
    const [step, condition, ...states] = graph.inputs;
    for (const { name, dtype, shape } of [step!, condition!]) b.input(name, dtype, shape);
    for (const { name, dtype, shape } of states) {
      b.input(name, dtype, ['clients', ...shape]);
      this.own.add(name);
    }
    if (!this.writeNodes(source, b, graph.nodes)) return false;
    const outputs = graph.outputs.map(({ name }) => name);
    if (!outputs.slice(1).every((name) => this.own.has(name))) return false;
    for (const rewrite of [shareCommonSubexpressions, removeDeadCode]) rewrite(b, outputs);
    const results = node.outputs.map((name, i) => {
      const { dtype, shape } = graph.outputs[i + 1]!;
      this.own.add(name);
      return { name, dtype, shape: i < states.length ? ['clients', ...shape] : ['steps', 'clients'] };
    });
    const inputs = [steps, always, ...initial.map((value) => (this.own.has(value) ? value : this.spread(to, value)))];
    to.control('Loop', inputs, { body: { kind: 'graph', value: b.build(graph.name, outputs) } }, results);
    return true;
  }

  private spread(b: GraphBuilder, value: string): string {
    const ones = b.axes(b.shape(value).map(() => 1));
    return b.op('Expand', [value, b.op('Concat', [this.clients, ones], { axis: int(0) })]);
  }
}

function scopeOf({ name }: Node): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}
