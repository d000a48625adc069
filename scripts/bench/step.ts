import { cpus } from 'node:os';
import { localConfig } from '../../client/config.ts';
import { processorBlock } from '../../client/processor-block.ts';
import { LocalTrainer } from '../../client/trainer.ts';
import type { ExampleBatch, TensorData } from '../../data/dataset.ts';
import { FieldBuffers } from '../../data/field-buffers.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { namedStream } from '../../random/stream.ts';
import { PyTorch } from './pytorch.ts';
import { cnnWorkload, mlpWorkload, resNetWorkload, transformerWorkload, type Workload } from './workloads.ts';

const warmUps = 2;
/** Clients per model: as many as fit into the time, within these bounds. */
const [fewest, most, seconds] = [15, 200, 90];

const workloads = {
  cnn: cnnWorkload,
  resnet: resNetWorkload,
  transformer: transformerWorkload,
  mlp: mlpWorkload,
};

/**
 * Milliseconds of processor time (of all threads) per local SGD step (batch, forward, loss, backward, clipping to C_loc = 1, update) on one thread. Where PyTorch is installed,
 * runs of both alternate, so that a busy machine slows both alike; the ratio is the median over runs, each compared with PyTorch's before and after it on average.
 * @param names workloads to run; none: all
 */
export async function benchStep(names: readonly string[]): Promise<void> {
  const pytorch = await PyTorch.start();
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}`;
  console.log(
    `Local step, one thread, processor time, median over clients (${machine}${pytorch ? `, PyTorch ${pytorch.version}` : ''})\n`,
  );
  if (!pytorch) console.log('PyTorch was not found: no comparison. Set PYTHON to a Python that can import torch.\n');
  console.log(
    '| local step | dpfl ms (fastest) | PyTorch ms (fastest) | ratio (of fastest) | clients |\n|---|---|---|---|---|',
  );
  try {
    for (const [name, workload] of Object.entries(workloads)) {
      if (names.length === 0 || names.includes(name)) await compare(workload(), pytorch);
    }
  } finally {
    pytorch?.close();
  }
}

async function compare(workload: Workload, pytorch: PyTorch | undefined): Promise<void> {
  const time = await timeOfClient(workload);
  await pytorch?.prepare(workload.pytorch);
  const [ours, theirs, ratios]: [number[], number[], number[]] = [[], [], []];
  let before = Number.NaN;
  const deadline = performance.now() + 1000 * seconds;
  const enough = () => ours.length >= fewest && (ours.length >= most || performance.now() > deadline);
  for (let round = 0; !enough(); round++) {
    const mine = await time(round);
    const other = (await pytorch?.processorTime()) ?? Number.NaN;
    if (round >= warmUps) {
      ours.push(mine / workload.steps);
      theirs.push(other / workload.steps);
      ratios.push((2 * mine) / (before + other));
    }
    before = other;
  }
  const cell = (values: readonly number[]) => `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)})`;
  const ratio = `${median(ratios).toFixed(2)} (${(Math.min(...ours) / Math.min(...theirs)).toFixed(2)})`;
  console.log(
    `| ${workload.title} | ${cell(ours)} | ${pytorch ? `${cell(theirs)} | ${ratio}` : '– | –'} | ${ours.length} |`,
  );
}

/**
 * A function that trains the client once, or as many like it as workers train together, and returns the milliseconds of processor time that
 * each took.
 */
export async function timeOfClient({ model, objective, title, batchSize, steps, examples }: Workload) {
  const trainer = await LocalTrainer.create(
    compileTraining(model, bindModel(model, objective, title), {
      batchSize,
      grouped: true,
      block: await processorBlock(),
    }),
  );
  const parameters = parametersOf(model, trainer.layout);
  const settings = localConfig.parse({ steps, batchSize, learningRate: 0.01, maxGradientNorm: 1 });
  const { groups } = trainer;
  const start = trainer.prepare(parameters);
  const clients = copiesOf(examples, groups?.size ?? 1);
  return async (round: number): Promise<number> => {
    const before = process.cpuUsage();
    const work = clients.map((own, i) => ({ examples: own, random: namedStream(1, 'bench-batches', round, i) }));
    if (groups) await groups.train(start, work, settings);
    else await trainer.train(start, examples, settings, work[0]!.random);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000 / clients.length;
  };
}

/** Clients with the same examples, which lie in memory as data sets write those of several. */
function copiesOf({ count, fields }: ExampleBatch, clients: number): ExampleBatch[] {
  const buffers = new FieldBuffers();
  // Grown by all clients once, it holds them in one piece.
  for (let i = 0; i < 2 * clients; i++) copyTo(buffers, fields);
  buffers.clear();
  return Array.from({ length: clients }, () => ({ count, fields: copyTo(buffers, fields) }));
}

function copyTo(buffers: FieldBuffers, fields: ExampleBatch['fields']): ExampleBatch['fields'] {
  const copies = Object.entries(fields).map(([name, field]): [string, TensorData] => {
    const { length } = field.data;
    if (field.type === 'int32') {
      const data = buffers.int32(name, length);
      data.set(field.data);
      return [name, { ...field, data }];
    }
    const data = buffers.float32(name, length);
    data.set(field.data);
    return [name, { ...field, data }];
  });
  return Object.fromEntries(copies);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
