import { benchAccountant } from './accountant.ts';
import { benchAdapted } from './adapted.ts';
import { benchClipping } from './clipping.ts';
import { benchCompile } from './compile.ts';
import { benchMemory } from './memory.ts';
import { benchNoise } from './noise.ts';
import { benchPaper } from './paper.ts';
import { benchPatches } from './patches.ts';
import { benchRound } from './round.ts';
import { benchStep } from './step.ts';
import { benchTransport } from './transport.ts';

/** Benchmarks by name, with their options: `npm run bench -- step cnn`. */
const benchmarks: Readonly<Record<string, (options: readonly string[]) => Promise<void>>> = {
  step: benchStep,
  transport: benchTransport,
  round: benchRound,
  memory: benchMemory,
  accountant: benchAccountant,
  noise: benchNoise,
  clipping: benchClipping,
  adapted: benchAdapted,
  compile: benchCompile,
  paper: benchPaper,
  patches: benchPatches,
};

const name = process.argv[2] ?? 'step';
const benchmark = benchmarks[name];
if (benchmark) {
  await benchmark(process.argv.slice(3));
} else {
  console.error(`no benchmark is called '${name}'; there are: ${Object.keys(benchmarks).join(', ')}`);
  process.exitCode = 2;
}
