/**
 * Greedy CTC decoding of one utterance: the best symbol of each frame, repeats collapsed, blanks (symbol 0) dropped.
 * Ties go to the lower symbol.
 *
 * @param logits scores [frames, symbols], row by row
 * @param frames frames that count; later rows are padding
 * @param symbols size of the alphabet with the blank
 * @returns symbol indices ≥ 1
 */
export function decodeGreedily(logits: Float32Array, frames: number, symbols: number): number[] {
  const decoded: number[] = [];
  let previous = 0;
  for (let frame = 0; frame < frames; frame++) {
    const best = argmax(logits, frame * symbols, symbols);
    if (best !== 0 && best !== previous) decoded.push(best);
    previous = best;
  }
  return decoded;
}

/** Index, counted from `offset`, of the largest of `length` values; the first of equals. */
export function argmax(values: Float32Array, offset: number, length: number): number {
  let best = 0;
  for (let i = 1; i < length; i++) {
    if (values[offset + i] > values[offset + best]) best = i;
  }
  return best;
}
