import { ModelError } from '../errors.ts';
import { GraphBuilder } from './builder.ts';
import { ForwardWriter } from './import.ts';
import type { Model, Node, Tensor } from './ir.ts';
import { readModelFile } from './onnx/read.ts';
import { renamed } from './rewrites/rename.ts';

/**
 * Reads a model to be trained: an .onnx file, its decided branches taken.
 * @throws ModelError naming the file and what is wrong with it
 */
export function readModel(path: string): Model {
  return decideBranches(readModelFile(path));
}

/**
 * A model without the choices (If) that the shapes of its values decide: exporters write `squeeze(1)` as one where they do not know the
 * size. A model with others, which depend on data, stays as it is, and is refused where it is used.
 */
export function decideBranches(model: Model): Model {
  if (!model.graph.nodes.some(({ op }) => op === 'If')) return model;
  try {
    return new Decision(model).decided();
  } catch (error) {
    // What stands in front of a choice may be refused as well; that is for whoever uses the model to say.
    if (error instanceof ModelError) return model;
    throw error;
  }
}

class Decision {
  private readonly model: Model;
  private readonly b = new GraphBuilder();
  private readonly names: Map<string, string>;
  private readonly writer: ForwardWriter;
  private readonly nodes: Node[] = [];
  private readonly constants: Map<string, Tensor>;

  constructor(model: Model) {
    const { graph } = model;
    this.model = model;
    this.constants = new Map(graph.constants);
    this.names = new Map(graph.inputs.map(({ name, dtype, shape }) => [name, this.b.input(name, dtype, shape)]));
    // Nodes come one by one: the choices among them would be refused.
    this.writer = new ForwardWriter(this.b, { ...model, graph: { ...graph, nodes: [] } }, this.names);
  }

  decided(): Model {
    const { graph } = this.model;
    for (const node of graph.nodes) this.write(node);
    return { ...this.model, graph: { ...graph, nodes: this.nodes, constants: this.constants } };
  }

  private write(node: Node): void {
    if (node.op !== 'If') {
      this.writer.write(node);
      this.nodes.push(node);
      return;
    }
    for (const inner of this.branchOf(node)) this.write(inner);
  }

  /** The nodes of the branch that is taken, which give what the choice gave. @throws ModelError when that depends on data */
  private branchOf(node: Node): readonly Node[] {
    const [taken] = this.b.knownIntegers(this.names.get(node.inputs[0]!) ?? '') ?? [];
    const branch = node.attributes[taken === 0 ? 'else_branch' : 'then_branch'];
    if (typeof taken !== 'number' || branch?.kind !== 'graph') throw new ModelError(`'${node.name}' depends on data`);
    const { nodes, constants, outputs } = branch.value;
    const inside = [...constants.keys(), ...nodes.flatMap((each) => each.outputs)];
    const own = new Map(inside.map((name) => [name, `${node.name}/${name}`]));
    for (const [name, tensor] of constants) {
      this.constants.set(own.get(name)!, tensor);
      this.names.set(own.get(name)!, this.b.constant(tensor));
    }
    const results = outputs.map(({ name }, i): Node => {
      const [input, output] = [own.get(name) ?? name, node.outputs[i]!];
      return {
        name: `${node.name}/${i}`,
        op: 'Identity',
        domain: '',
        inputs: [input],
        outputs: [output],
        attributes: {},
      };
    });
    const body = nodes.map((each) => ({
      ...renamed(each, own),
      name: `${node.name}/${each.name}`,
      outputs: each.outputs.map((name) => own.get(name) ?? name),
    }));
    return [...body, ...results];
  }
}
