import { DpflError } from '../errors.ts';
import { bindModel, notesOnBinding } from '../graph/binding.ts';
import { type AssumedSizes, estimateStep, type StepEstimate, writeStep } from '../graph/estimate.ts';
import type { Model, Value } from '../graph/ir.ts';
import type { AdaptedModel } from '../models/adapt/adapt.ts';
import type { BatchNormChoice } from '../models/adapt/batch-norm.ts';
import { bufferHint } from '../models/adapt/likely-buffers.ts';
import { formatBytes, formatCount, significant } from '../report/format.ts';
import { type AdaptationOptions, readTrainedModel } from './adapted-model-file.ts';
import { inspectModel, type ModelInspection, OBJECTIVES } from './inspect-model.ts';

/** What `dpfl model check --json` prints. */
export interface ModelCheck extends ModelInspection {
  readonly trainable: boolean;
  /** Why not; null when trainable. */
  readonly reason: string | null;
  readonly assumed: AssumedSizes;
  readonly estimate: StepEstimate | null;
  /** Parameters that training leaves as they are; `parameters` are trained. */
  readonly frozen: number;
  /** What training makes of BatchNormalization; null without any. */
  readonly batchNorm: BatchNormChoice | null;
  /** What adapters are trained, in words; null without LoRA. */
  readonly lora: string | null;
  /** Trained tensors that look like masks, tables or statistics. */
  readonly likelyBuffers: AdaptedModel['likelyBuffers'];
  /** What else should be known of what is trained. */
  readonly notes: readonly string[];
  /** How data of one's own trains a model of several inputs, or of tokens; null where images or speech do. */
  readonly ownData: string | null;
}

/**
 * Says whether the chosen weights of a model, by default all, can be trained, and what a step costs.
 * @throws ModelError when the file cannot be read, ConfigError when the choice does not fit the model
 */
export async function checkModelFile(
  file: string,
  assumed: AssumedSizes,
  adaptation?: AdaptationOptions,
): Promise<ModelCheck> {
  const trained = await readTrainedModel(file, adaptation);
  const { model, frozen, likelyBuffers, batchNorm = null, lora = null } = trained;
  const inspected = inspectModel(model, file);
  const objective = OBJECTIVES.find((each) => inspected.obstacles[each] === null);
  const notes = [...trained.notes, ...(objective ? notesOnBinding(bindModel(model, objective, file)) : [])];
  const inspection = { ...inspected, frozen, likelyBuffers, notes, batchNorm, lora };
  const found = { ...inspection, ownData: ownData(model), assumed };
  const fixed = model.graph.inputs.find(({ shape }) => typeof shape[0] === 'number');
  if (fixed) return { ...found, trainable: false, reason: closedBatch(fixed), estimate: null };
  try {
    return { ...found, trainable: true, reason: null, estimate: estimateStep(model, assumed) };
  } catch (error) {
    if (!(error instanceof DpflError)) throw error;
    // With sizes left open the step can be written: it is the sizes taken that do not suit the model.
    if (!hasOpenSizes(model) || !differentiates(model))
      return { ...found, trainable: false, reason: error.message, estimate: null };
    const note = `no estimate: sizes of ${assumed.length} do not suit the model (${error.message}); say with --length (and --batch-size) what its data has`;
    return { ...found, notes: [...notes, note], trainable: true, reason: null, estimate: null };
  }
}

const closedBatch = ({ name, shape }: Value): string =>
  `input '${name}' has a fixed batch size of ${shape[0]}, batches of users differ in size, and dpfl found no way to open it; export it with a dynamic batch axis, dynamic_axes={'${name}': {0: 'batch'}}`;

/** Whether an input leaves a size open besides the batch. */
const hasOpenSizes = ({ graph }: Model): boolean =>
  graph.inputs.some(({ shape }) => shape.slice(1).some((size) => typeof size === 'string'));

/** Whether the step can be written for every size that the model leaves open. */
function differentiates(model: Model): boolean {
  try {
    writeStep(model);
    return true;
  } catch (error) {
    if (error instanceof DpflError) return false;
    throw error;
  }
}

/** How a model that takes neither images nor speech is trained; null for one that does. */
function ownData({ graph }: Model): string | null {
  const tokens = graph.inputs.filter(({ dtype }) => dtype !== 'float32');
  if (graph.inputs.length < 2 && tokens.length === 0) return null;
  const names = graph.inputs.map(({ name }) => `'${name}'`).join(', ');
  return `arrays of your own train it: data.kind: npy with the fields ${names}, and loss (docs/models.md)`;
}

/** The check for people. */
export function checkText(check: ModelCheck): string {
  const { file, trainable, reason, layers, parameters, frozen, operators, obstacles } = check;
  const used = Object.entries(operators).map(([op, { nodes }]) => `${op} ${nodes}`);
  return [
    `${file}: ${trainable ? 'trainable' : `not trainable: ${reason}`}`,
    `layers      ${layers.length}, ${formatCount(parameters)} parameters${frozen > 0 ? ` trained; ${formatCount(frozen)} frozen` : ''}`,
    `operators   ${used.join(', ')}`,
    ...estimateLines(check),
    ...(check.batchNorm ? [`batch norm  ${check.batchNorm.words}`] : []),
    ...(check.lora ? [`adapters    ${check.lora}`] : []),
    ...check.notes.map((note) => `note        ${note}`),
    ...check.likelyBuffers.map((buffer) => `buffer?     ${bufferHint(buffer)}`),
    ...Object.entries(obstacles).map(
      ([objective, why]) => `${objective}: ${why === null ? 'fits' : `does not fit: ${why}`}`,
    ),
    ...(check.ownData ? [`own data    ${check.ownData}`] : []),
    '',
  ].join('\n');
}

function estimateLines({ estimate, assumed }: ModelCheck): string[] {
  if (!estimate) return [];
  const giga = (flop: number) => significant(flop / 1e9, 3);
  return [
    `memory      about ${formatBytes(estimate.bytes)} for one client: parameters × 3 (weights, gradients, updated weights) and ` +
      `${formatBytes(estimate.activationBytes)} of activations for a batch of ${assumed.batch}`,
    `compute     about ${giga(estimate.trainingFlop)} GFLOP per example for training, ${giga(estimate.forwardFlop)} forward`,
    `assumed     ${assumed.batch} examples; other open sizes ${assumed.length}`,
  ];
}
