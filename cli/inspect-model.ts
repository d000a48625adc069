import { DpflError } from '../errors.ts';
import { bindModel, type Objective } from '../graph/binding.ts';
import { compileTraining } from '../graph/compile.ts';
import { layersOf } from '../graph/forward.ts';
import { findProblems } from '../graph/import.ts';
import type { Model, Node, Value } from '../graph/ir.ts';
import { decompositionOf, gradientRule } from '../graph/operators/registry.ts';
import { formatCount } from '../report/format.ts';
import { readTrainedModel } from './adapted-model-file.ts';

export const OBJECTIVES: readonly Objective[] = ['classification', 'transcription'];

/** A rule exists; none is needed because nothing is differentiated through the operator; or training is impossible. */
export type GradientKind = 'rule' | 'none needed' | 'missing';

/** What `dpfl model inspect --json` prints. */
export interface ModelInspection {
  readonly file: string;
  readonly opset: number;
  readonly inputs: readonly Pick<Value, 'name' | 'dtype' | 'shape'>[];
  readonly outputs: readonly Pick<Value, 'name' | 'dtype' | 'shape'>[];
  readonly layers: readonly { readonly name: string; readonly shape: readonly number[]; readonly size: number }[];
  readonly parameters: number;
  /** How often each operator occurs, and what training does with it. */
  readonly operators: Readonly<Record<string, { readonly nodes: number; readonly gradient: GradientKind }>>;
  /** Every node that stands in the way of training, and why. */
  readonly problems: readonly { readonly node: string; readonly operator: string; readonly problem: string }[];
  /** Per objective: null when it can be trained for it, otherwise why not. */
  readonly obstacles: Readonly<Record<Objective, string | null>>;
}

/**
 * Looks at an ONNX model by compiling its training step. Nothing is run, but for a model of fixed batch size (`forAnyBatch`).
 * @throws ModelError when the file cannot be read
 */
export async function inspectModelFile(file: string): Promise<ModelInspection & { readonly notes: readonly string[] }> {
  const { model, notes } = await readTrainedModel(file);
  return { ...inspectModel(model, file), notes };
}

/** The same for a model that was read already; `file` names it in messages. */
export function inspectModel(model: Model, file: string): ModelInspection {
  const layers = layersOf(model).map(({ name, shape }) => ({
    name,
    shape,
    size: shape.reduce((product, dimension) => product * dimension, 1),
  }));
  const problems = findProblems(model.graph);
  const obstacle = (objective: Objective): string | null => {
    try {
      compileTraining(model, bindModel(model, objective, file));
      return null;
    } catch (error) {
      if (error instanceof DpflError) return error.message;
      throw error;
    }
  };
  const interfaceOf = ({ name, dtype, shape }: Value) => ({ name, dtype, shape });
  return {
    file,
    opset: model.opset,
    inputs: model.graph.inputs.map(interfaceOf),
    outputs: model.graph.outputs.map(interfaceOf),
    layers,
    parameters: layers.reduce((sum, { size }) => sum + size, 0),
    operators: operatorsOf(model.graph.nodes, new Set(problems.map(({ node }) => node.op))),
    problems: problems.map(({ node, problem }) => ({ node: node.name, operator: node.op, problem })),
    obstacles: Object.fromEntries(OBJECTIVES.map((objective) => [objective, obstacle(objective)])) as Record<
      Objective,
      string | null
    >,
  };
}

function operatorsOf(nodes: readonly Node[], refused: ReadonlySet<string>): ModelInspection['operators'] {
  const operators: Record<string, { nodes: number; gradient: GradientKind }> = {};
  for (const { op } of nodes) {
    const gradient = refused.has(op) ? 'missing' : gradientRule(op) || decompositionOf(op) ? 'rule' : 'none needed';
    operators[op] = { nodes: (operators[op]?.nodes ?? 0) + 1, gradient };
  }
  return operators;
}

/** The inspection for people. */
export function inspectionText(inspection: ModelInspection & { readonly notes?: readonly string[] }): string {
  const { notes = [], file, opset, inputs, outputs, layers, parameters, operators, problems, obstacles } = inspection;
  const width = Math.max(5, ...layers.map(({ name }) => name.length));
  const value = ({ name, dtype, shape }: ModelInspection['inputs'][number]) => `${name} ${dtype} [${shape.join(', ')}]`;
  return [
    `${file}: opset ${opset}, ${layers.length} layers, ${formatCount(parameters)} parameters`,
    ...inputs.map((each) => `input   ${value(each)}`),
    ...outputs.map((each) => `output  ${value(each)}`),
    '',
    ...layers.map(
      ({ name, shape, size }) => `${name.padEnd(width)}  ${formatCount(size).padStart(11)}  [${shape.join(', ')}]`,
    ),
    '',
    ...notes.map((note) => `note  ${note}`),
    ...operatorLines(operators),
    ...problems.map(({ node, operator, problem }) => `cannot train  ${operator} '${node}': ${problem}`),
    ...Object.entries(obstacles).map(
      ([objective, why]) => `${objective}: ${why === null ? 'can be trained' : `no: ${why}`}`,
    ),
    '',
  ].join('\n');
}

function operatorLines(operators: ModelInspection['operators']): string[] {
  const kinds: readonly [GradientKind, string][] = [
    ['rule', 'differentiated'],
    ['none needed', 'no gradient needed'],
    ['missing', 'no gradient rule'],
  ];
  return kinds.flatMap(([kind, label]) => {
    const names = Object.entries(operators).filter(([, { gradient }]) => gradient === kind);
    if (names.length === 0) return [];
    return [`${label.padEnd(20)}${names.map(([op, { nodes }]) => `${op} ${nodes}`).join(', ')}`];
  });
}
