import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { stepOptions } from '../../cli/prepare.ts';
import { processorBlock } from '../../client/processor-block.ts';
import { datasetFingerprint } from '../../data/fingerprint.ts';
import { openDataset } from '../../data/open.ts';
import { bindModel } from '../../graph/binding.ts';
import { compileTraining } from '../../graph/compile.ts';
import { parametersOf } from '../../graph/parameters.ts';
import { buildModel } from '../../models/build.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { LocalWorkers } from '../../server/local-workers.ts';
import type { RoundRecord } from '../../server/records.ts';
import { runFederated } from '../../server/run.ts';
import type { RunConfig } from '../../server/run-config.ts';
import { RunDirectory } from '../../server/run-directory.ts';
import { RunPrivacy } from '../../server/run-privacy.ts';
import { AggregationServer } from '../../server/service.ts';
import { children, processorSeconds } from './processor-time.ts';
import { cifar10Protocol, mlpProtocol, type Protocol, skewedProtocol } from './protocols.ts';
import { PyTorch } from './pytorch.ts';

/** On the clock, and of processor time. */
interface Seconds {
  readonly wall: number;
  readonly processor: number;
}

/** One timed round: its record, seconds on the clock and of processor time, the same of a PyTorch client before and after it on average. */
interface TimedRound {
  readonly record: RoundRecord;
  readonly wall: number;
  /** Of server and workers; undefined where it cannot be read. */
  readonly processor: number | undefined;
  readonly pytorch: Seconds | undefined;
  /** Seconds of PyTorch's turn before it, which its record counts as training, and workers as idle. */
  readonly pause: number;
}

const protocols = (): Protocol[] => [
  cifar10Protocol(),
  mlpProtocol([128], 10_000, 2, { overheadTarget: 0.25 }),
  mlpProtocol([200, 200], 300, 9, { costTarget: 0.45 }),
  mlpProtocol([32], 1000, 9, { costTarget: 0.25 }),
  skewedProtocol(),
];

/**
 * Whole rounds as a run has them: a worker process over gRPC, ledger, records and checkpoints on the disk. Where PyTorch is installed, bare
 * local steps of the same client alternate with the rounds, so that a busy machine slows both alike.
 * @param names parts of titles; only protocols that have one of them are run. None: all
 */
export async function benchRound(names: readonly string[]): Promise<void> {
  const pytorch = await PyTorch.start();
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}`;
  console.log(`Rounds on one worker process (${machine}${pytorch ? `, PyTorch ${pytorch.version}` : ''})\n`);
  if (!pytorch) console.log('PyTorch was not found: no comparison. Set PYTHON to a Python that can import torch.\n');
  try {
    for (const protocol of protocols()) {
      if (names.length > 0 && !names.some((name) => protocol.title.includes(name))) continue;
      console.log(describe(protocol, await timeRounds(protocol, pytorch)));
    }
  } finally {
    pytorch?.close();
  }
}

/** The rounds in words: where their time went, what a client costs. */
function describe({ title, costTarget, overheadTarget, busyTarget }: Protocol, rounds: readonly TimedRound[]): string {
  const cores = ({ record }: TimedRound) => record.seconds.workers?.count ?? 1;
  const cost = (round: TimedRound) => (cores(round) * round.wall) / round.record.cohort;
  const splits = rounds.map(split);
  const total = (part: string) => splits.reduce((sum, parts) => sum + parts[part]!, 0);
  const wall = rounds.reduce((sum, round) => sum + round.wall, 0);
  const busy = rounds.reduce((sum, { record }) => sum + (record.seconds.workers?.busy ?? 0), 0);
  const present = rounds.reduce((sum, round) => {
    const { busy = 0, idle = 0 } = round.record.seconds.workers ?? {};
    return sum + busy + idle - cores(round) * round.pause;
  }, 0);
  const least = Math.min(...rounds.map(cost));
  const share = (part: string) => `${part} ${((100 * total(part)) / wall).toFixed(1)} %`;
  const lines = [
    `${title}; ${rounds.length} rounds`,
    `  ${(1 / least).toFixed(1)} clients per second and core; ${(1000 * least).toFixed(3)} ms per client, everything included, in the fastest round`,
    `  ${Object.keys(splits[0]!).map(share).join(', ')}`,
    `  everything but local training: ${(1 - total('local training') / wall).toFixed(3)} of all rounds${target('at most', overheadTarget)}`,
    `  workers busy: ${(busy / present).toFixed(3)} of the time of all rounds${target('at least', busyTarget)}`,
  ];
  const ratios = (figure: (round: TimedRound) => number | undefined) =>
    rounds.map((round) => figure(round) ?? Number.NaN).filter(Number.isFinite);
  const compare = (what: string, values: readonly number[], goal: string) => {
    if (values.length > 0)
      lines.push(`  ${what}: median ${median(values).toFixed(2)}, least ${Math.min(...values).toFixed(2)}${goal}`);
  };
  const goal = target('at most', costTarget);
  const unit = "a client in units of PyTorch's bare steps";
  compare(
    `${unit}, processor time`,
    ratios(({ processor, pytorch, record }) => pytorch && processor && processor / record.cohort / pytorch.processor),
    goal,
  );
  compare(
    `${unit}, on the clock`,
    ratios((round) => round.pytorch && cost(round) / round.pytorch.wall),
    goal,
  );
  return `${lines.join('\n')}\n`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function target(bound: string, value: number | undefined): string {
  return value === undefined ? '' : ` (target: ${bound} ${value})`;
}

/** Wall-clock seconds of a round by what they went to, workers' time divided by their number; they add up to the round. */
function split({ record, wall, pause }: TimedRound): Record<string, number> {
  const training = record.seconds.training - pause;
  const { sampling = 0, summing = 0, noise = 0, optimizer = 0, workers } = record.seconds;
  const { count = 1, busy = 0, data = 0, localTraining = 0, clipping = 0 } = workers ?? {};
  return {
    'local training': localTraining / count,
    data: data / count,
    clipping: clipping / count,
    'bookkeeping of the worker': (busy - data - localTraining - clipping) / count,
    sampling,
    'transport and waiting': training - sampling - summing - busy / count,
    summing,
    noise,
    optimizer,
    'epsilon, ledger, record, checkpoint': wall - training - noise - optimizer,
  };
}

async function timeRounds(
  { config, pytorch, pytorchClients }: Protocol,
  torch: PyTorch | undefined,
): Promise<TimedRound[]> {
  await torch?.prepare(pytorch);
  const rounds: TimedRound[] = [];
  const others = children();
  const used = () => processorSeconds(children().filter((id) => !others.includes(id)));
  let record: RoundRecord | undefined;
  /** PyTorch's clients before the round, each. */
  let before: readonly Seconds[] = [];
  let since = { clock: performance.now(), processor: used(), pause: 0 };
  /** Between two rounds: the time of the one before, and PyTorch's turn. */
  const turn = async () => {
    const wall = (performance.now() - since.clock) / 1000;
    const processor = (used() ?? Number.NaN) - (since.processor ?? Number.NaN);
    const began = performance.now();
    const after: Seconds[] = [];
    for (let i = 0; i < pytorchClients && torch; i++) after.push(await torch.train());
    // The machine's speed changes within seconds: those before a round tell as much as those after it.
    const times = [...before, ...after];
    const average = (key: keyof Seconds) => mean(times.map((time) => time[key])) / 1000;
    const pytorch = times.length > 0 ? { wall: average('wall'), processor: average('processor') } : undefined;
    // In round 1 everything is compiled for the first time.
    if (record && record.round > 1) rounds.push({ record, wall, processor, pytorch, pause: since.pause });
    before = after;
    since = { clock: performance.now(), processor: used(), pause: (performance.now() - began) / 1000 };
  };
  await runRounds(config, turn, (finished) => {
    record = finished;
  });
  return rounds;
}

/** A federated run in a directory that is removed afterwards. */
async function runRounds(
  config: RunConfig,
  beforeRound: () => Promise<void>,
  onRound: (record: RoundRecord) => void,
): Promise<void> {
  const dataset = openDataset(config.data, config.seed);
  const model = buildModel(config.model, dataset.task, config.seed);
  const block = await processorBlock();
  const training = compileTraining(model, bindModel(model, dataset.task.kind, config.name), {
    ...stepOptions(config, dataset),
    block,
  });
  const layout = new ParameterLayout(training.layers);
  const { clipping, grid } = new RunPrivacy(config, layout, dataset.population);
  const { data, seed, local } = config;
  const task = { data, seed, local, clipping, gridStep: grid.step, block, layers: training.layers };
  const directory = await mkdtemp(join(tmpdir(), 'dpfl-bench-'));
  const server = await AggregationServer.start({
    listen: '127.0.0.1:0',
    runId: randomUUID(),
    task: { ...task, dataFingerprint: datasetFingerprint(dataset) },
    model: training,
  });
  const workers = LocalWorkers.start({
    count: config.federation.workers,
    server: server.address,
    onAllFailed: (error) => server.fail(error),
  });
  try {
    while (server.workerCount() < config.federation.workers) await new Promise((resolve) => setTimeout(resolve, 50));
    await runFederated({
      config,
      runDirectory: await RunDirectory.create(directory, 'run'),
      server: {
        runRound: async (...given) => {
          await beforeRound();
          return server.runRound(...given);
        },
        workerCount: () => server.workerCount(),
        takeFaults: () => server.takeFaults(),
      },
      initialParameters: parametersOf(model, layout),
      layout,
      evaluator: { evaluate: async () => ({ examples: 1, loss: 0 }) },
      dataset,
      progress: { onRound },
    });
  } finally {
    await server.close();
    await workers.stop(1);
    await rm(directory, { recursive: true });
  }
}
