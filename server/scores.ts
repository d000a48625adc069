import type { ExampleBatch } from '../data/dataset.ts';
import { decodeText } from '../data/text.ts';
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
