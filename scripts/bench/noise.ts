import { discreteGaussian, discreteLaplace } from '../../random/discrete.ts';
import { standardNormal } from '../../random/normal.ts';
import { secureStream } from '../../random/secure.ts';
import { namedStream, type RandomStream } from '../../random/stream.ts';

const DRAWS = 4e6;
const REPETITIONS = 5;
/** Grid steps per standard deviation in an ordinary run. */
const STEPS = 1.5e9;

/** Draws of privacy noise per second on one core, by distribution and stream; the best of a few repetitions. */
export async function benchNoise(): Promise<void> {
  const kinds: [string, (stream: RandomStream) => number][] = [
    ['gaussian (rounded normals)', (stream) => Math.round(STEPS * standardNormal(stream))],
    ['discrete Gaussian (exact)', discreteGaussian(STEPS)],
    ['discrete Laplace (exact)', discreteLaplace(STEPS)],
  ];
  for (const [source, stream] of [
    ['seeded', namedStream(1, 'bench')],
    ['cryptographic', secureStream()],
  ] as const) {
    for (const [kind, draw] of kinds)
      console.log(`${kind}, ${source}: ${millions(draw, stream)} million draws per second`);
  }
}

function millions(draw: (stream: RandomStream) => number, stream: RandomStream): string {
  let best = Number.POSITIVE_INFINITY;
  for (let r = 0; r < REPETITIONS; r++) {
    const started = performance.now();
    for (let i = 0; i < DRAWS; i++) draw(stream);
    best = Math.min(best, performance.now() - started);
  }
  return (DRAWS / best / 1000).toFixed(0);
}
