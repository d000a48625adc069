import { cpus } from 'node:os';
import { localConfig } from '../../client/config.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { namedStream } from '../../random/stream.ts';
import { PyTorch } from './pytorch.ts';
import { cnnWorkload, transformerWorkload, type Workload } from './workloads.ts';

const warmUps = 2;
const rounds = 15;

/**
 * Milliseconds per local SGD step (batch, forward, loss, backward, clipping to C_loc = 1, update) on one thread. Where PyTorch is installed,
 * runs of both alternate, so that a busy machine slows both alike.
 */
export async function benchStep(): Promise<void> {
  const pytorch = await PyTorch.start();
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}`;
  console.log(
    `Local step, one thread, median of ${rounds} clients (${machine}${pytorch ? `, PyTorch ${pytorch.version}` : ''})\n`,
  );
  if (!pytorch) console.log('PyTorch was not found: no comparison. Set PYTHON to a Python that can import torch.\n');
  console.log('| local step | dpfl ms (fastest) | PyTorch ms (fastest) | ratio (of fastest) |\n|---|---|---|---|');
  try {
    for (const workload of [cnnWorkload(), transformerWorkload()]) await compare(workload, pytorch);
  } finally {
    pytorch?.close();
  }
}

async function compare(workload: Workload, pytorch: PyTorch | undefined): Promise<void> {
  const time = await timeOfClient(workload);
  await pytorch?.prepare(workload.pytorch);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < warmUps + rounds; round++) {
    const mine = await time(round);
    const other = await pytorch?.time();
    if (round < warmUps) continue;
    ours.push(mine / workload.steps);
    if (other !== undefined) theirs.push(other / workload.steps);
  }
  const cell = (values: readonly number[]) => `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)})`;
  const ratio = `${(median(ours) / median(theirs)).toFixed(2)} (${(Math.min(...ours) / Math.min(...theirs)).toFixed(2)})`;
  console.log(`| ${workload.title} | ${cell(ours)} | ${pytorch ? `${cell(theirs)} | ${ratio}` : '– | –'} |`);
}

/** A function that trains the client once and returns the milliseconds it took. */
export async function timeOfClient({ model, objective, title, batchSize, steps, examples }: Workload) {
  const trainer = await LocalTrainer.create(compileTraining(model, bindModel(model, objective, title)));
  const parameters = parametersOf(model, trainer.layout);
  const settings = localConfig.parse({ steps, batchSize, learningRate: 0.01, maxGradientNorm: 1 });
  return async (round: number): Promise<number> => {
    const start = performance.now();
    await trainer.train(parameters, examples, settings, namedStream(1, 'bench-batches', round));
    return performance.now() - start;
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
