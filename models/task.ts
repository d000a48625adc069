/** What the model is to predict, with the names of its classes or symbols. */
export type Task =
  | {
      readonly kind: 'classification';
      readonly classes: readonly string[];
      readonly imageShape: readonly [number, number, number];
    }
  /** CTC: symbol 0 is the blank, symbol i ≥ 1 is `alphabet[i - 1]`. */
  | { readonly kind: 'transcription'; readonly alphabet: readonly string[]; readonly filters: number }
  /** Tensors of any meaning, which a model of the user's own takes by name; `shape` is that of one example. */
  | { readonly kind: 'tensors'; readonly fields: readonly TensorField[] };

/** One tensor that every example has. */
export interface TensorField {
  readonly name: string;
  readonly dtype: 'float32' | 'int32';
  readonly shape: readonly number[];
}
