import { DataError } from '../errors.ts';
import type { ExampleBatch, TensorData } from './dataset.ts';

/** One utterance: `features` is [frames, filters] row-major, `target` its CTC symbols (no blanks). */
export interface Utterance {
  readonly features: Float32Array;
  readonly target: Int32Array;
}

/** Fields whose second axis is padded, with the field that holds the true lengths. */
const PADDED: Readonly<Record<string, string>> = { features: 'lengths', targets: 'target_lengths' };

/**
 * Packs utterances into one transcription batch (see dataset.ts): features padded with zeros to the longest utterance,
 * targets padded with 0 to the longest transcription.
 * @throws DataError when there is no utterance, or features are not whole frames
 */
export function packTranscriptions(utterances: readonly Utterance[], filters: number): ExampleBatch {
  const count = utterances.length;
  if (count === 0) throw new DataError('a batch of transcriptions needs at least one utterance');
  const lengths = Int32Array.from(utterances, ({ features }) => features.length / filters);
  const targetLengths = Int32Array.from(utterances, ({ target }) => target.length);
  const frames = lengths.reduce((longest, length) => Math.max(longest, length), 1);
  const symbols = targetLengths.reduce((longest, length) => Math.max(longest, length), 1);
  const features = new Float32Array(count * frames * filters);
  const targets = new Int32Array(count * symbols);
  utterances.forEach((utterance, row) => {
    if (utterance.features.length !== lengths[row] * filters) {
      throw new DataError(
        `utterance ${row}: ${utterance.features.length} feature values are not whole frames of ${filters} filters`,
      );
    }
    features.set(utterance.features, row * frames * filters);
    targets.set(utterance.target, row * symbols);
  });
  return {
    count,
    fields: {
      features: { type: 'float32', dims: [count, frames, filters], data: features },
      lengths: { type: 'int32', dims: [count], data: lengths },
      targets: { type: 'int32', dims: [count, symbols], data: targets },
      target_lengths: { type: 'int32', dims: [count], data: targetLengths },
    },
  };
}

/**
 * The examples at `indices`, in that order (an index may repeat). Rows are copied; padding beyond the longest selected
 * utterance or transcription is cut off.
 * @throws DataError for an index that is not in the batch
 */
export function selectExamples(batch: ExampleBatch, indices: ArrayLike<number>): ExampleBatch {
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i];
    if (!Number.isInteger(index) || index < 0 || index >= batch.count)
      throw new DataError(`example ${index} is not in a batch of ${batch.count} examples`);
  }
  const fields: Record<string, TensorData> = {};
  for (const [name, field] of Object.entries(batch.fields)) {
    const lengths = batch.fields[PADDED[name] ?? ''];
    fields[name] = selectRows(field, indices, lengths === undefined ? field.dims[1] : longest(lengths, indices));
  }
  return { count: indices.length, fields };
}

function longest(lengths: TensorData, indices: ArrayLike<number>): number {
  let result = 1;
  for (let i = 0; i < indices.length; i++) result = Math.max(result, lengths.data[indices[i]]);
  return result;
}

/** Rows of `field`, each cut to `kept` entries of its second axis. */
function selectRows(field: TensorData, indices: ArrayLike<number>, kept: number | undefined): TensorData {
  const [rows, second, ...rest] = field.dims;
  const stride = rows === 0 ? 0 : field.data.length / rows;
  const width = second === undefined || kept === undefined ? stride : (stride / second) * kept;
  const dims = second === undefined || kept === undefined ? [indices.length] : [indices.length, kept, ...rest];
  if (field.type === 'float32') {
    const data = new Float32Array(indices.length * width);
    for (let i = 0; i < indices.length; i++)
      data.set(field.data.subarray(indices[i] * stride, indices[i] * stride + width), i * width);
    return { type: 'float32', dims, data };
  }
  const data = new Int32Array(indices.length * width);
  for (let i = 0; i < indices.length; i++)
    data.set(field.data.subarray(indices[i] * stride, indices[i] * stride + width), i * width);
  return { type: 'int32', dims, data };
}
