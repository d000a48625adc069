import { ModelError } from '../errors.ts';
import { type AxisOrder, featuresOrder, imageOrder, inDataOrder, orderInWords } from './input-order.ts';
import type { Model, Value } from './ir.ts';
import type { LossSpec } from './losses/spec.ts';
import { type Probabilities, probabilitiesOf } from './probabilities.ts';

/** What a model is trained to do; fixes which data fields exist and which loss is the default. */
export type Objective = 'classification' | 'transcription' | 'tensors';

/** How a model's inputs and outputs meet the fields of a data set. */
export interface Binding {
  readonly objective: Objective;
  /** Every field that the data has. */
  readonly fields: readonly DataField[];
  /** Model input → data field. */
  readonly inputs: Readonly<Record<string, string>>;
  /** How an input takes the axes of its field; left out where it takes them as they come. */
  readonly orders?: Readonly<Record<string, AxisOrder>>;
  /** The output that the loss is taken of, or that is scored beside a loss of the model's own; undefined when there is none. */
  readonly logits?: string;
  /** Where that output gives probabilities: what the loss takes in its place. */
  readonly probabilities?: Probabilities;
  /** Transcription: the model's own output of frames per utterance; without one, lengths shrink as the time axis does. */
  readonly outputLengths?: string;
  readonly loss: LossSpec;
  /** The field that outputs are compared with; undefined for CTC, which has several, and for a loss of the model's own. */
  readonly target?: string;
}

/** A field of the data set. */
export interface DataField {
  readonly name: string;
  readonly dtype: 'float32' | 'int32';
  /** Of one example. */
  readonly shape: readonly (number | string)[];
}

export interface BindingOptions {
  readonly loss?: LossSpec;
  /** Objective `tensors`: the fields of the data. */
  readonly fields?: readonly DataField[];
  /** Objective `classification`: [channels, height, width] of the data. */
  readonly imageShape?: readonly number[];
}

/** The fields that an objective fixes; `inputShape` is that of one image, or [frames, filters]. */
function fixedFields(objective: Objective, inputShape: readonly (number | string)[]): DataField[] {
  if (objective === 'classification') {
    return [
      { name: 'image', dtype: 'float32', shape: inputShape },
      { name: 'label', dtype: 'int32', shape: [] },
    ];
  }
  return [
    { name: 'features', dtype: 'float32', shape: inputShape },
    { name: 'lengths', dtype: 'int32', shape: [] },
    { name: 'targets', dtype: 'int32', shape: ['symbols'] },
    { name: 'target_lengths', dtype: 'int32', shape: [] },
  ];
}

/**
 * Finds out how a model meets an objective. An input called like a data field is that field. Of the others, the floating-point one is the
 * image or the features (in whichever order of axes, see `input-order.ts`), an integer one the lengths; with `tensors`, all go by name. The
 * first floating-point output holds the logits unless the loss names another, an integer output their lengths.
 * @throws ModelError that says what is missing
 */
export function bindModel(
  model: Model,
  objective: Objective,
  source: string,
  { loss, fields, imageShape }: BindingOptions = {},
): Binding {
  const spec = loss ?? defaultLoss(objective, source);
  const logits = logitsOf(model, spec, source);
  const probabilities = logits === undefined ? undefined : probabilitiesOf(model, logits, spec.kind);
  const output = { loss: spec, logits, ...(probabilities ? { probabilities } : {}) };
  if (objective === 'tensors') {
    const given = fields ?? [];
    const target = targetOf(spec, ['label', 'target'], given, source);
    return { objective, fields: given, inputs: byName(model, given, source), ...output, target };
  }
  const { inputs, main } = byType(model, objective, source);
  const order = objective === 'classification' ? imageOrder(main.shape, imageShape) : featuresOrder(main.shape);
  const shape = inDataOrder(main.shape, order);
  requireDynamicBatch({ ...main, shape }, source);
  const fixed = fixedFields(objective, shape.slice(1));
  const target = objective === 'classification' ? targetOf(spec, ['label'], fixed, source) : undefined;
  const outputLengths =
    objective === 'transcription'
      ? model.graph.outputs.find(({ dtype }) => dtype === 'int64' || dtype === 'int32')?.name
      : undefined;
  const orders = order && { [main.name]: order };
  return { objective, fields: fixed, inputs, ...(orders ? { orders } : {}), ...output, outputLengths, target };
}

/** What a user should know of how a model meets the data. */
export function notesOnBinding({ orders = {}, logits, probabilities }: Binding): string[] {
  const turned = Object.entries(orders).map(([name, order]) => {
    return `input '${name}' takes ${orderInWords(order)}, by its shape; the data are brought into that order`;
  });
  if (!probabilities) return turned;
  const note = `output '${logits}' gives probabilities; losses and scores take what goes into its ${probabilities.op}`;
  return [...turned, note];
}

function targetOf(
  spec: LossSpec,
  usual: readonly string[],
  fields: readonly DataField[],
  source: string,
): string | undefined {
  if (spec.kind === 'ctc' || spec.kind === 'output') return undefined;
  const candidates = spec.target === undefined ? usual : [spec.target];
  const found = candidates.find((name) => fields.some((field) => field.name === name));
  if (found !== undefined) return found;
  const known = fields.map(({ name }) => name).join(', ');
  throw new ModelError(
    `${source}: loss.target: the data has no field '${candidates.join("' or '")}'; name one of its fields: ${known}`,
  );
}

function defaultLoss(objective: Objective, source: string): LossSpec {
  if (objective === 'classification') return { kind: 'cross-entropy' };
  if (objective === 'transcription') return { kind: 'ctc' };
  throw new ModelError(`${source}: data of your own has no loss by default; say which with loss.kind`);
}

function logitsOf({ graph }: Model, { kind, output }: LossSpec, source: string): string | undefined {
  const floats = graph.outputs.filter(({ dtype }) => dtype === 'float32').map(({ name }) => name);
  const other = graph.outputs.find(({ dtype }) => /float|double/.test(dtype));
  if (floats.length === 0 && other) {
    throw new ModelError(
      `${source}: output '${other.name}' is ${other.dtype}, and dpfl trains in float32; export the model in float32`,
    );
  }
  if (floats.length === 0) {
    throw new ModelError(
      `${source}: has no floating-point output to train; export the model with its logits as output`,
    );
  }
  if (output !== undefined && !floats.includes(output)) {
    throw new ModelError(
      `${source}: has no floating-point output '${output}', which loss.output names; its outputs are ${floats.join(', ')}`,
    );
  }
  if (kind !== 'output') return output ?? floats[0];
  if (output === undefined) throw new ModelError(`${source}: loss.output must name the output that holds the loss`);
  return floats.find((name) => name !== output);
}

function byName({ graph }: Model, fields: readonly DataField[], source: string): Record<string, string> {
  const names = fields.map(({ name }) => name);
  return Object.fromEntries(
    graph.inputs.map((input) => {
      if (!names.includes(input.name)) {
        throw new ModelError(
          `${source}: input '${input.name}' has no counterpart in the data, which has ${names.join(', ')}; rename the one or the other`,
        );
      }
      requireDynamicBatch(input, source);
      return [input.name, input.name];
    }),
  );
}

function byType(
  { graph }: Model,
  objective: 'classification' | 'transcription',
  source: string,
): { readonly inputs: Record<string, string>; readonly main: Value } {
  const field = objective === 'classification' ? 'image' : 'features';
  const known = new Set(fixedFields(objective, []).map(({ name }) => name));
  const named = graph.inputs.filter(({ name }) => known.has(name));
  const others = graph.inputs.filter(({ name }) => !known.has(name));
  const taken = named.find(({ name }) => name === field);
  const floats = [...(taken ? [taken] : []), ...others.filter(({ dtype }) => dtype === 'float32')];
  const integers = others.filter(({ dtype }) => dtype === 'int64' || dtype === 'int32');
  const [main] = floats;
  if (!main || floats.length > 1)
    throw new ModelError(`${source}: has ${floats.length} floating-point inputs; dpfl needs one, for the examples`);
  if (objective === 'classification' && integers.length > 0)
    throw new ModelError(`${source}: input '${integers[0]!.name}' has no counterpart in image data; remove it`);
  if (integers.length > 1)
    throw new ModelError(`${source}: has ${integers.length} integer inputs; speech data can fill one, the lengths`);
  for (const input of integers) requireLengths(input, source);
  const inputs = Object.fromEntries([
    ...named.map(({ name }) => [name, name] as const),
    [main.name, field],
    ...integers.map(({ name }) => [name, 'lengths'] as const),
  ]);
  return { inputs, main };
}

/** An integer input is taken for the lengths: a vector, or of unknown shape. */
function requireLengths({ name, dtype, shape }: Value, source: string): void {
  if (shape.length < 2) return;
  throw new ModelError(
    `${source}: input '${name}' is ${dtype} [${shape.join(', ')}], but speech data can only fill lengths [batch]; give the model such data by name (data.kind: npy)`,
  );
}

function requireDynamicBatch(input: Value, source: string): void {
  if (typeof input.shape[0] === 'number') {
    throw new ModelError(
      `${source}: input '${input.name}' has a fixed batch size of ${input.shape[0]}; export it with a dynamic batch axis`,
    );
  }
}
