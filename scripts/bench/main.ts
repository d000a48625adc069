import { benchAccountant } from './accountant.ts';
import { benchStep } from './step.ts';

/** Benchmarks by name: `npm run bench -- step`, `npm run bench -- step cnn`. */
const benchmarks: Readonly<Record<string, (only?: string) => Promise<void>>> = {
  step: benchStep,
  accountant: benchAccountant,
};

const name = process.argv[2] ?? 'step';
const benchmark = benchmarks[name];
if (benchmark) {
  await benchmark(process.argv[3]);
} else {
  console.error(`no benchmark is called '${name}'; there are: ${Object.keys(benchmarks).join(', ')}`);
  process.exitCode = 2;
}
