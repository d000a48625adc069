import type { ExampleBatch } from '../data/dataset.ts';
import { ConfigError } from '../errors.ts';

/** Utterances whose target cannot be emitted train nothing; a few in a data set of short recordings are no reason to refuse it. */
const TOLERATED = 0.1;

/**
 * Refuses a frontend stride that leaves most utterances with fewer frames than CTC needs for their targets: one a symbol, and one
 * for the blank between equal neighbours. Training would go on without learning anything.
 * @throws ConfigError naming the key and how many utterances are too short
 */
export function requireFeasibleTargets(stride: number, { count, fields }: ExampleBatch): void {
  const { lengths, targets, target_lengths: targetLengths } = fields;
  const width = targets!.dims[1]!;
  let short = 0;
  for (let i = 0; i < count; i++) {
    const frames = Math.ceil(lengths!.data[i]! / stride);
    const symbols = targets!.data.subarray(i * width, i * width + targetLengths!.data[i]!);
    const repeats = symbols.filter((symbol, at) => at > 0 && symbol === symbols[at - 1]).length;
    if (frames < symbols.length + repeats) short++;
  }
  if (short > TOLERATED * count) {
    throw new ConfigError(
      `model.stride: ${stride} leaves fewer frames than symbols in ${short} of ${count} held-out utterances; lower it`,
    );
  }
}
