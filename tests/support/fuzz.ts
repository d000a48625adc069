import { namedStream } from '../../random/stream.ts';

/** Names the mutations of a run; every seed tries others. */
export const fuzzSeed = process.env.DPFL_FUZZ_SEED ?? '1';

/** How many cases to try instead of `usual`, times DPFL_FUZZ_FACTOR for a long hunt. */
export function fuzzCases(usual: number): number {
  return Math.round(usual * Number(process.env.DPFL_FUZZ_FACTOR ?? 1));
}

/** Bytes that often lie on an edge: varints that never end, tags, signs, zeros. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x0a, 0x08, 0x12];

/** Writes variations of byte strings: one to four bit flips, edge bytes, cuts, repeats, insertions and splices of two. */
export function mutator(purpose: string): (corpus: readonly Uint8Array[]) => Uint8Array {
  const random = namedStream(fuzzSeed, `fuzz ${purpose}`);
  const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)]!;
  const once = (bytes: Uint8Array, corpus: readonly Uint8Array[]): Uint8Array => {
    const at = random.integer(bytes.length + 1);
    const to = Math.min(bytes.length, at + random.integer(16));
    switch (random.integer(7)) {
      case 0:
        return at < bytes.length ? bytes.with(at, bytes[at]! ^ (1 << random.integer(8))) : bytes;
      case 1:
        return at < bytes.length ? bytes.with(at, pick(EDGES)) : bytes;
      case 2:
        return bytes.slice(0, at);
      case 3:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
      case 4:
        return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
      case 5:
        return Buffer.concat([
          bytes.subarray(0, at),
          Uint8Array.from({ length: 1 + random.integer(12) }, () =>
            random.integer(2) ? pick(EDGES) : random.integer(256),
          ),
          bytes.subarray(at),
        ]);
      default: {
        const other = pick(corpus);
        return Buffer.concat([bytes.subarray(0, at), other.subarray(random.integer(other.length + 1))]);
      }
    }
  };
  return (corpus) => {
    let bytes: Uint8Array = Uint8Array.from(pick(corpus));
    for (let times = 1 + random.integer(4); times > 0; times--) bytes = Uint8Array.from(once(bytes, corpus));
    return bytes;
  };
}
