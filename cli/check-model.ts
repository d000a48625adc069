import { DpflError } from '../errors.ts';
import { type AssumedSizes, estimateStep, type StepEstimate } from '../graph/estimate.ts';
import { readModelFile } from '../graph/onnx/read.ts';
import { formatCount, significant } from '../report/format.ts';
import { inspectModelFile, type ModelInspection } from './inspect-model.ts';

/** What `dpfl model check --json` prints. */
export interface ModelCheck extends ModelInspection {
  readonly trainable: boolean;
  /** Why not; null when trainable. */
  readonly reason: string | null;
  readonly assumed: AssumedSizes;
  readonly estimate: StepEstimate | null;
}

/**
 * Says whether every weight of a model can be trained, and what a step costs.
 * @throws ModelError when the file cannot be read
 */
export function checkModelFile(file: string, assumed: AssumedSizes): ModelCheck {
  const inspection = inspectModelFile(file);
  try {
    const estimate = estimateStep(readModelFile(file), assumed);
    return { ...inspection, trainable: true, reason: null, assumed, estimate };
  } catch (error) {
    if (!(error instanceof DpflError)) throw error;
    return { ...inspection, trainable: false, reason: error.message, assumed, estimate: null };
  }
}

/** The check for people. */
export function checkText(check: ModelCheck): string {
  const { file, trainable, reason, layers, parameters, operators, obstacles } = check;
  const used = Object.entries(operators).map(([op, { nodes }]) => `${op} ${nodes}`);
  return [
    `${file}: ${trainable ? 'trainable' : `not trainable: ${reason}`}`,
    `layers      ${layers.length}, ${formatCount(parameters)} parameters`,
    `operators   ${used.join(', ')}`,
    ...estimateLines(check),
    ...Object.entries(obstacles).map(
      ([objective, why]) => `${objective}: ${why === null ? 'fits' : `does not fit: ${why}`}`,
    ),
    '',
  ].join('\n');
}

function estimateLines({ estimate, assumed }: ModelCheck): string[] {
  if (!estimate) return [];
  const mebibytes = (bytes: number) => `${significant(bytes / 2 ** 20, 3)} MiB`;
  const giga = (flop: number) => significant(flop / 1e9, 3);
  return [
    `memory      about ${mebibytes(estimate.bytes)} per training step of ${assumed.batch} examples, ` +
      `${mebibytes(estimate.activationBytes)} of it activations`,
    `compute     about ${giga(estimate.trainingFlop)} GFLOP per example for training, ${giga(estimate.forwardFlop)} forward`,
    `assumed     ${assumed.batch} examples; other open sizes ${assumed.length}`,
  ];
}
