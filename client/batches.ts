import type { RandomStream } from '../random/stream.ts';

/** Mini-batches of one client's local training, one after the other. */
export interface BatchSchedule {
  /** Example indices, batch after batch. */
  readonly order: Int32Array;
  /** Where each batch starts in `order`; the last entry is its length. */
  readonly offsets: readonly number[];
}

/** How long local training goes on: a number of steps, or else of passes over the client's examples. */
export interface LocalDuration {
  readonly steps?: number | undefined;
  readonly epochs?: number | undefined;
}

/** Where each mini-batch begins in the order of `drawBatches`, and its length: these follow from the number of examples alone. */
export function batchOffsets(examples: number, batchSize: number, duration: LocalDuration): number[] {
  const perPass = Math.ceil(examples / batchSize);
  const steps = duration.steps ?? (duration.epochs ?? 1) * perPass;
  const passes = Math.ceil(steps / perPass);
  const offsets = Array.from({ length: steps + 1 }, (_, step) => {
    const pass = Math.floor(step / perPass);
    return pass * examples + (step - pass * perPass) * batchSize;
  });
  const ofLastPass = Math.min(examples, (steps - (passes - 1) * perPass) * batchSize);
  offsets[steps] = (passes - 1) * examples + ofLastPass;
  return offsets;
}

/**
 * Draws the mini-batches: examples are shuffled before every pass and cut into batches; the last batch of a pass may be smaller.
 * A client with fewer examples than a batch trains on all of them at every step.
 */
export function drawBatches(
  examples: number,
  batchSize: number,
  duration: LocalDuration,
  random: RandomStream,
): BatchSchedule {
  const offsets = batchOffsets(examples, batchSize, duration);
  return { order: drawOrder(examples, offsets.at(-1)!, random), offsets };
}

/** Draws the order of so many visits to a client's examples, as for `drawBatches`. */
export function drawOrder(examples: number, visits: number, random: RandomStream): Int32Array {
  const passes = Math.ceil(visits / examples);
  const order = new Int32Array(passes * examples);
  for (let pass = 0; pass < passes; pass++) {
    shuffle(order.subarray(pass * examples, (pass + 1) * examples), random);
  }
  return order.subarray(0, visits);
}

/**
 * Cuts a schedule between mini-batches into parts of at most `visits` visits each; a mini-batch of more is a part of its own.
 * @param offsets as in `batchOffsets`
 * @returns the steps at which parts begin, and, last, how many steps there are
 */
export function partsOf(offsets: readonly number[], visits: number): number[] {
  const begins = [0];
  for (let first = 0; first < offsets.length - 1; ) {
    let last = first + 1;
    while (last + 1 < offsets.length && offsets[last + 1]! - offsets[first]! <= visits) last++;
    begins.push(last);
    first = last;
  }
  return begins;
}

/** Fills with 0, 1, … in random order (Fisher-Yates). */
function shuffle(items: Int32Array, random: RandomStream): void {
  for (let i = 0; i < items.length; i++) items[i] = i;
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const item = items[i]!;
    items[i] = items[j]!;
    items[j] = item;
  }
}
