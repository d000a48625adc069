import type { ExampleBatch, Task } from '../data/dataset.ts';
import { decodeText } from '../data/text.ts';
import type { LossSpec } from '../graph/losses/spec.ts';
import { argmax, decodeGreedily } from './ctc-decoding.ts';
import { characterEdits, type EditCount, errorRate, wordEdits } from './error-rates.ts';
import type { EvaluationRecord } from './records.ts';

/** What a forward pass returns for a batch. */
export interface ForwardOutputs {
  /** [n, classes], or [n, frames, symbols] for transcription. */
  readonly logits: { readonly dims: readonly number[]; readonly data: Float32Array };
  /** Transcription: frames of each example that count. */
  readonly outputLengths?: Int32Array;
}

/** Gathers the task's measures over batches. */
export interface Scores {
  add(outputs: ForwardOutputs, batch: ExampleBatch): void;
  /** The measures of all examples added so far. */
  measures(): Pick<EvaluationRecord, 'accuracy' | 'wer' | 'cer'>;
}

/** Which loss a model is trained with, and which field of the data it predicts. */
export interface ScoredTarget {
  readonly loss?: Pick<LossSpec, 'kind'>;
  readonly target?: string;
}

/** The measures for a task: rates where outputs are compared with labels, none where a loss says all there is to say. */
export function scoresFor(task: Task, { loss, target }: ScoredTarget): Scores {
  if (task.kind === 'classification') return new ClassificationScores();
  if (task.kind === 'transcription') return new TranscriptionScores(task.alphabet);
  if (target !== undefined && loss?.kind === 'cross-entropy') return new TokenScores(target);
  if (target !== undefined && loss?.kind === 'bce') return new LabelScores(target);
  return { add: () => {}, measures: () => ({}) };
}

/** Top-1 accuracy. */
export class ClassificationScores implements Scores {
  #correct = 0;
  #examples = 0;

  add({ logits }: ForwardOutputs, batch: ExampleBatch): void {
    const classes = logits.dims[1];
    const labels = batch.fields.label;
    for (let i = 0; i < batch.count; i++) {
      if (argmax(logits.data, i * classes, classes) === labels.data[i]) this.#correct += 1;
    }
    this.#examples += batch.count;
  }

  measures(): { accuracy: number } {
    return { accuracy: this.#correct / this.#examples };
  }
}

/** Top-1 accuracy over all positions with a label that is not negative; classes stand on the last axis, or else on the second. */
class TokenScores implements Scores {
  readonly #target: string;
  #correct = 0;
  #counted = 0;

  constructor(target: string) {
    this.#target = target;
  }

  add({ logits }: ForwardOutputs, { fields }: ExampleBatch): void {
    const labels = fields[this.#target];
    const rank = logits.dims.length;
    const last = labels.dims.every((size, i) => size === logits.dims[i]) && labels.dims.length === rank - 1;
    const classes = logits.dims[last ? rank - 1 : 1];
    // Positions behind the axis of the classes: 1 when it is the last.
    const inner = last ? 1 : logits.dims.slice(2).reduce((product, size) => product * size, 1);
    for (let i = 0; i < labels.data.length; i++) {
      if (labels.data[i] < 0) continue;
      const first = Math.floor(i / inner) * classes * inner + (i % inner);
      let best = 0;
      for (let c = 1; c < classes; c++) {
        if (logits.data[first + c * inner] > logits.data[first + best * inner]) best = c;
      }
      this.#counted += 1;
      if (best === labels.data[i]) this.#correct += 1;
    }
  }

  measures(): { accuracy?: number } {
    return this.#counted > 0 ? { accuracy: this.#correct / this.#counted } : {};
  }
}

/** Fraction of independent labels on whose right side of 1/2 the sigmoid of the logit is. */
class LabelScores implements Scores {
  readonly #target: string;
  #correct = 0;
  #labels = 0;

  constructor(target: string) {
    this.#target = target;
  }

  add({ logits }: ForwardOutputs, { fields }: ExampleBatch): void {
    const { data } = fields[this.#target];
    for (let i = 0; i < data.length; i++) if (logits.data[i] > 0 === data[i] > 0.5) this.#correct += 1;
    this.#labels += data.length;
  }

  measures(): { accuracy: number } {
    return { accuracy: this.#correct / this.#labels };
  }
}

/** Corpus-level word and character error rates of greedy CTC decoding. */
export class TranscriptionScores implements Scores {
  readonly #alphabet: readonly string[];
  readonly #words: EditCount[] = [];
  readonly #characters: EditCount[] = [];

  constructor(alphabet: readonly string[]) {
    this.#alphabet = alphabet;
  }

  add({ logits, outputLengths }: ForwardOutputs, batch: ExampleBatch): void {
    const [, frames, symbols] = logits.dims;
    const targets = batch.fields.targets;
    const targetLengths = batch.fields.target_lengths;
    const width = targets.dims[1];
    for (let i = 0; i < batch.count; i++) {
      const row = logits.data.subarray(i * frames * symbols, (i + 1) * frames * symbols);
      const hypothesis = this.#text(decodeGreedily(row, outputLengths?.[i] ?? frames, symbols));
      const reference = this.#text(targets.data.subarray(i * width, i * width + targetLengths.data[i]));
      this.#words.push(wordEdits(reference, hypothesis));
      this.#characters.push(characterEdits(reference, hypothesis));
    }
  }

  measures(): { wer: number; cer: number } {
    return { wer: errorRate(this.#words), cer: errorRate(this.#characters) };
  }

  #text(symbols: ArrayLike<number>): string {
    return decodeText(symbols, this.#alphabet);
  }
}
