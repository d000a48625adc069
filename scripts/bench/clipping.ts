import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { allocateVectors, type ShardVectors } from '../../params/vector-memory.ts';
import { Clipper, type ClippingSpec } from '../../privacy/clipping.ts';
import { gridUnderGaussian } from '../../privacy/delta-grid.ts';
import { namedStream } from '../../random/stream.ts';

/** Sizes of the perceptrons and of the convolutional network that rounds are timed with. */
const SIZES = [25_450, 199_210, 1_626_442];
const REPETITIONS = 60;
/** As many as go into one pass at most. */
const DELTAS = 8;

const clipping: ClippingSpec = { mode: 'global', bound: 0.4 };

/**
 * Nanoseconds per parameter that a worker spends on a client's delta: its norm, scaling, rounding to the grid and adding to the shard's sum, one by one and
 * eight at once, with truncation and with rounding to nearest. On ordinary vectors, then on those that the WebAssembly kernels reach: a worker has one kind
 * alone, and V8 compiles loops for what they have met.
 */
export async function benchClipping(): Promise<void> {
  const ordinary = (size: number): ShardVectors => ({
    sum: new Float64Array(size),
    delta: new Float32Array(DELTAS * size),
  });
  for (const [kind, allocate] of [
    ['TypeScript', ordinary],
    ['WebAssembly', (size: number) => allocateVectors(size, DELTAS)],
  ] as const) {
    for (const size of SIZES) {
      const [one, all, oneRounded, allRounded] = nanoseconds(allocate(size), size);
      console.log(
        `${size} parameters in ${kind}: ns one by one and at once: truncated ${one}, ${all}; rounded ${oneRounded}, ${allRounded}`,
      );
    }
  }
}

/** Medians over repetitions that alternate: truncated and rounded, each one by one and at once. */
function nanoseconds({ sum, delta }: ShardVectors, size: number): string[] {
  const layout = new ParameterLayout([{ name: 'all', shape: [size] }]);
  const truncates = new Clipper(layout, clipping, ExactGrid.forNoisySum(0.4, 2000, 0.4));
  const rounded = gridUnderGaussian(clipping, layout, 2000, [0.4]);
  const rounds = new Clipper(layout, rounded.clipping, rounded.grid);
  const stream = namedStream(1, 'bench-clipping');
  for (let i = 0; i < delta.length; i++) delta[i] = stream.uniform() - 0.5;
  const deltas = Array.from({ length: DELTAS }, (_, i) => ({ delta: delta.subarray(i * size, (i + 1) * size) }));
  const ways = [truncates, rounds].flatMap((clipper) => [
    () => {
      for (const one of deltas) clipper.addAll(sum, [one]);
    },
    () => clipper.addAll(sum, deltas),
  ]);
  const times: number[][] = ways.map(() => []);
  for (let i = 0; i < REPETITIONS; i++) {
    for (const [way, add] of ways.entries()) {
      const started = performance.now();
      add();
      times[way]!.push(((performance.now() - started) * 1e6) / delta.length);
    }
  }
  return times.map((values) => values.sort((a, b) => a - b)[REPETITIONS >> 1]!.toFixed(2));
}
