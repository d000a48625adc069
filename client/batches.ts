import type { RandomStream } from '../random/stream.ts';

/** Mini-batches of one client's local training, one after the other. */
export interface BatchSchedule {
  /** Example indices, batch after batch. */
  readonly order: readonly number[];
  /** Where each batch starts in `order`; the last entry is its length. */
  readonly offsets: readonly number[];
}

/** How long local training goes on: a number of steps, or else of passes over the client's examples. */
export interface LocalDuration {
  readonly steps?: number | undefined;
  readonly epochs?: number | undefined;
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
  const perPass = Math.ceil(examples / batchSize);
  const steps = duration.steps ?? (duration.epochs ?? 1) * perPass;
  const order: number[] = [];
  const offsets = [0];
  while (offsets.length <= steps) {
    const shuffled = shuffle(examples, random);
    for (let start = 0; start < examples && offsets.length <= steps; start += batchSize) {
      order.push(...shuffled.slice(start, start + batchSize));
      offsets.push(order.length);
    }
  }
  return { order, offsets };
}

/** Cuts a schedule between mini-batches into parts of at most `visits` visits each; a mini-batch of more is a part of its own. */
export function cutSchedule({ order, offsets }: BatchSchedule, visits: number): BatchSchedule[] {
  const parts: BatchSchedule[] = [];
  for (let first = 0; first < offsets.length - 1; ) {
    const start = offsets[first]!;
    let last = first + 1;
    while (last + 1 < offsets.length && offsets[last + 1]! - start <= visits) last++;
    parts.push({
      order: order.slice(start, offsets[last]),
      offsets: offsets.slice(first, last + 1).map((offset) => offset - start),
    });
    first = last;
  }
  return parts;
}

/** Fisher-Yates. */
function shuffle(count: number, random: RandomStream): number[] {
  const items = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
