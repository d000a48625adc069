import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ParameterLayout } from '../../params/layout.ts';
import { RoundAggregator } from '../../server/aggregation.ts';
import { AggregationServer } from '../../server/service.ts';
import { trainedSum, transportTask } from './transport-task.ts';

const MEGABYTE = 1e6;
const WORKERS = 2;

/**
 * A large model to two workers and back over loopback gRPC: parameters down as float32, exact sums up as float64, verified value by
 * value. Prints throughput and the server's peak memory. Workers are processes of their own that train nothing.
 * @param options millions of parameters (default 250: 1 GB)
 */
export async function benchTransport(options: readonly string[]): Promise<void> {
  const size = Number(options[0] ?? 250) * 1e6;
  const task = transportTask(size);
  const layout = new ParameterLayout(task.layers);
  const parameters = layout.allocate();
  for (let i = 0; i < size; i++) parameters[i] = i % 4096;
  const aggregator = new RoundAggregator(layout);
  const shards = Array.from({ length: WORKERS }, (_, worker) => [worker]);
  aggregator.begin(shards);
  const server = await AggregationServer.start({
    listen: '127.0.0.1:0',
    runId: 'bench',
    task,
    model: { onnx: new Uint8Array(1), layers: task.layers },
    log: (line) => console.error(line),
    silenceSeconds: 600,
  });
  const program = fileURLToPath(new URL('./transport-worker.js', import.meta.url));
  const workers = shards.map(() => fork(program, [server.address, String(size)]));
  while (server.workerCount() < WORKERS) await new Promise((resolve) => setTimeout(resolve, 50));
  const started = performance.now();
  await server.runRound(1, parameters, shards, (shard, result) => aggregator.add(shard, result));
  const seconds = (performance.now() - started) / 1000;
  const { sum } = aggregator.finish();
  const peak = process.resourceUsage().maxRSS / 1024;
  for (let i = 0; i < size; i++) {
    const expected = shards.reduce((total, [client]) => total + trainedSum(parameters[i]!, i, client!), 0);
    if (sum[i] !== expected) throw new Error(`parameter ${i}: the sum is ${sum[i]} where ${expected} is right`);
  }
  await server.close();
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
  const model = (4 * size) / 2 ** 20;
  const moved = (WORKERS * 12 * size) / MEGABYTE;
  console.log(`| model MiB | workers | moved MB | seconds | MB/s | server's peak MiB | 3 × model + 300 MB, MiB |
|---|---|---|---|---|---|---|
| ${model.toFixed(0)} | ${WORKERS} | ${moved.toFixed(0)} | ${seconds.toFixed(1)} | ${(moved / seconds).toFixed(0)} | ${peak.toFixed(0)} | ${(3 * model + 3e8 / 2 ** 20).toFixed(0)} |`);
}
