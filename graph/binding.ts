import { ModelError } from '../errors.ts';
import type { Model, Value } from './ir.ts';

/** What a model is trained to do; fixes which data fields exist and which loss is used. */
export type Objective = 'classification' | 'transcription';

/** How a model's inputs and outputs meet the fields of a data set. */
export interface Binding {
  readonly objective: Objective;
  /** Model input → data field. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly logits: string;
  /** Transcription: the model's own output of frames per utterance; without one, lengths shrink as the time axis does. */
  readonly outputLengths?: string;
}

/** A field of the data set as it enters a compiled graph, the first dimension counting examples. */
export interface DataField {
  readonly name: string;
  readonly dtype: 'float32' | 'int32';
  readonly shape: readonly (number | string)[];
}

/** The data fields of an objective, with `examples` examples of at most `frames` frames and `symbols` target symbols. */
export function dataFields(
  objective: Objective,
  examples: string,
  inputShape: readonly (number | string)[],
): DataField[] {
  if (objective === 'classification') {
    return [
      { name: 'image', dtype: 'float32', shape: [examples, ...inputShape] },
      { name: 'label', dtype: 'int32', shape: [examples] },
    ];
  }
  return [
    { name: 'features', dtype: 'float32', shape: [examples, ...inputShape] },
    { name: 'lengths', dtype: 'int32', shape: [examples] },
    { name: 'targets', dtype: 'int32', shape: [examples, 'symbols'] },
    { name: 'target_lengths', dtype: 'int32', shape: [examples] },
  ];
}

/**
 * Finds out how a model meets an objective: its floating-point input is the image or the features, an integer input the lengths; the
 * first floating-point output holds the logits, an integer output their lengths.
 * @throws ModelError that says what is missing
 */
export function bindModel(model: Model, objective: Objective, source: string): Binding {
  const { inputs, outputs } = model.graph;
  const main = inputs.filter(({ dtype }) => dtype === 'float32');
  const integers = inputs.filter(({ dtype }) => dtype === 'int64' || dtype === 'int32');
  if (main.length !== 1)
    throw new ModelError(`${source}: has ${main.length} floating-point inputs; dpfl needs one, for the examples`);
  requireDynamicBatch(main[0]!, source);
  const logits = outputs.find(({ dtype }) => dtype === 'float32');
  if (!logits)
    throw new ModelError(
      `${source}: has no floating-point output to train; export the model with its logits as output`,
    );
  if (objective === 'classification') {
    if (integers.length > 0)
      throw new ModelError(`${source}: input '${integers[0]!.name}' has no counterpart in image data; remove it`);
    return { objective, inputs: { [main[0]!.name]: 'image' }, logits: logits.name };
  }
  if (integers.length > 1)
    throw new ModelError(`${source}: has ${integers.length} integer inputs; speech data can fill one, the lengths`);
  const lengths = integers.map(({ name }) => [name, 'lengths'] as const);
  const outputLengths = outputs.find(({ dtype }) => dtype === 'int64' || dtype === 'int32')?.name;
  return {
    objective,
    inputs: { [main[0]!.name]: 'features', ...Object.fromEntries(lengths) },
    logits: logits.name,
    outputLengths,
  };
}

function requireDynamicBatch(input: Value, source: string): void {
  if (typeof input.shape[0] === 'number') {
    throw new ModelError(
      `${source}: input '${input.name}' has a fixed batch size of ${input.shape[0]}; export it with a dynamic batch axis`,
    );
  }
}
