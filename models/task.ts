/** What the model is to predict, with the names of its classes or symbols. */
export type Task =
  | {
      readonly kind: 'classification';
      readonly classes: readonly string[];
      readonly imageShape: readonly [number, number, number];
    }
  /** CTC: symbol 0 is the blank, symbol i ≥ 1 is `alphabet[i - 1]`. */
  | { readonly kind: 'transcription'; readonly alphabet: readonly string[]; readonly filters: number };
