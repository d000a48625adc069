import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { allocateVectors, type ShardVectors } from '../../params/vector-memory.ts';
import { Clipper } from '../../privacy/clipping.ts';
import { namedStream } from '../../random/stream.ts';

/** Sizes of the perceptrons and of the convolutional network that rounds are timed with. */
const SIZES = [25_450, 199_210, 1_626_442];
const REPETITIONS = 60;

/**
 * Nanoseconds per parameter that a worker spends on a client's delta: its norm, scaling, rounding to the grid and adding to the shard's sum.
 * On ordinary vectors, then on those that the WebAssembly kernels reach: a worker has one kind alone, and V8 compiles loops for what they
 * have met.
 */
export async function benchClipping(): Promise<void> {
  const ordinary = (size: number): ShardVectors => ({ sum: new Float64Array(size), delta: new Float32Array(size) });
  for (const [kind, allocate] of [
    ['TypeScript', ordinary],
    ['WebAssembly', allocateVectors],
  ] as const) {
    for (const size of SIZES) console.log(`${size} parameters: ${nanoseconds(allocate(size))} ns each in ${kind}`);
  }
}

/** Median over repetitions. */
function nanoseconds({ sum, delta }: ShardVectors): string {
  const layout = new ParameterLayout([{ name: 'all', shape: [delta.length] }]);
  const clipper = new Clipper(layout, { mode: 'global', bound: 0.4 }, ExactGrid.forNoisySum(0.4, 2000, 0.4));
  const stream = namedStream(1, 'bench-clipping');
  for (let i = 0; i < delta.length; i++) delta[i] = stream.uniform() - 0.5;
  const times = Array.from({ length: REPETITIONS }, () => {
    const started = performance.now();
    clipper.addTo(sum, delta);
    return ((performance.now() - started) * 1e6) / delta.length;
  });
  return times.sort((a, b) => a - b)[REPETITIONS >> 1]!.toFixed(2);
}
