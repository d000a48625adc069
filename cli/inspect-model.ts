import { DpflError } from '../errors.ts';
import { bindModel, type Objective } from '../graph/binding.ts';
import { compileTraining } from '../graph/compile.ts';
import { layersOf } from '../graph/forward.ts';
import type { Value } from '../graph/ir.ts';
import { readModelFile } from '../graph/onnx/read.ts';
import { formatCount } from '../report/format.ts';

const OBJECTIVES: readonly Objective[] = ['classification', 'transcription'];

/** What `dpfl model inspect --json` prints. */
export interface ModelInspection {
  readonly file: string;
  readonly opset: number;
  readonly inputs: readonly Pick<Value, 'name' | 'dtype' | 'shape'>[];
  readonly outputs: readonly Pick<Value, 'name' | 'dtype' | 'shape'>[];
  readonly layers: readonly { readonly name: string; readonly shape: readonly number[]; readonly size: number }[];
  readonly parameters: number;
  /** How often each operator occurs. */
  readonly operators: Readonly<Record<string, number>>;
  /** Per objective: null when it can be trained for it, otherwise why not. */
  readonly obstacles: Readonly<Record<Objective, string | null>>;
}

/**
 * Looks at an ONNX model by compiling its training step, without running it.
 * @throws ModelError when the file cannot be read
 */
export function inspectModelFile(file: string): ModelInspection {
  const model = readModelFile(file);
  const layers = layersOf(model).map(({ name, shape }) => ({
    name,
    shape,
    size: shape.reduce((product, dimension) => product * dimension, 1),
  }));
  const operators: Record<string, number> = {};
  for (const { op } of model.graph.nodes) operators[op] = (operators[op] ?? 0) + 1;
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
    operators,
    obstacles: Object.fromEntries(OBJECTIVES.map((objective) => [objective, obstacle(objective)])) as Record<
      Objective,
      string | null
    >,
  };
}

/** The inspection for people. */
export function inspectionText(inspection: ModelInspection): string {
  const { file, opset, inputs, outputs, layers, parameters, operators, obstacles } = inspection;
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
    `operators  ${Object.entries(operators)
      .map(([op, count]) => `${op} ${count}`)
      .join(', ')}`,
    ...Object.entries(obstacles).map(
      ([objective, why]) => `${objective}: ${why === null ? 'can be trained' : `no: ${why}`}`,
    ),
    '',
  ].join('\n');
}
