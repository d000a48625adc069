import { DpflError } from '../errors.ts';
import { type AssumedSizes, estimateStep, type StepEstimate } from '../graph/estimate.ts';
import type { AdaptedModel } from '../models/adapt/adapt.ts';
import type { BatchNormChoice } from '../models/adapt/batch-norm.ts';
import { bufferHint } from '../models/adapt/likely-buffers.ts';
import { formatBytes, formatCount, significant } from '../report/format.ts';
import { type AdaptationOptions, readAdaptedModel } from './adapted-model-file.ts';
import { inspectModel, type ModelInspection } from './inspect-model.ts';

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
}

/**
 * Says whether the chosen weights of a model, by default all, can be trained, and what a step costs.
 * @throws ModelError when the file cannot be read, ConfigError when the choice does not fit the model
 */
export function checkModelFile(file: string, assumed: AssumedSizes, adaptation?: AdaptationOptions): ModelCheck {
  const { model, frozen, likelyBuffers, notes, batchNorm = null, lora = null } = readAdaptedModel(file, adaptation);
  const inspection = { ...inspectModel(model, file), frozen, likelyBuffers, notes, batchNorm, lora };
  try {
    const estimate = estimateStep(model, assumed);
    return { ...inspection, trainable: true, reason: null, assumed, estimate };
  } catch (error) {
    if (!(error instanceof DpflError)) throw error;
    return { ...inspection, trainable: false, reason: error.message, assumed, estimate: null };
  }
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
