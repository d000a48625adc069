import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { readLines } from '../../server/run-directory.ts';

/** Where the second half of a run begins: before, caches fill and the heap finds its size. */
const SETTLED = 0.5;

/**
 * `npm run bench -- memory [rounds] [cohort]`: resident memory of the server of a real run with two workers, over its rounds (500 unless
 * told otherwise), on a population of a thousand million users. Linux only: it reads /proc.
 */
export async function benchMemory(options: readonly string[]): Promise<void> {
  const [rounds = 500, cohort = 40] = options.map(Number);
  const directory = mkdtempSync(join(tmpdir(), 'dpfl-memory-'));
  try {
    const file = join(directory, 'memory.yaml');
    writeFileSync(file, stringify(configuration(rounds, cohort)));
    const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
    const child = spawn(process.execPath, [main, 'run', file, '--output', directory], { stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const samples = await observe(child.pid ?? 0, join(directory, 'memory-001', 'rounds.jsonl'), rounds);
    const status = await ended;
    if (status !== 0) throw new Error(`the run ended with exit code ${status}`);
    print(samples, rounds, cohort);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Sample {
  readonly round: number;
  readonly mebibytes: number;
}

function configuration(rounds: number, cohort: number): unknown {
  return {
    name: 'memory',
    model: { kind: 'mlp', hidden: [128] },
    data: { kind: 'synthetic-images', population: 1e9, imageShape: [1, 28, 28], classes: 10 },
    local: { steps: 1, batchSize: 10, learningRate: 0.1 },
    federation: { rounds, expectedCohort: cohort, workers: 2 },
    optimizer: { kind: 'lamb', learningRate: 0.01 },
    privacy: { clipping: { mode: 'global', bound: 0.1 }, noise: { multiplier: 1 } },
    evaluation: { every: 50 },
    checkpoint: { every: 10 },
  };
}

/** Resident memory whenever another round has been recorded. */
async function observe(pid: number, records: string, rounds: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  let size = 0;
  for (;;) {
    const now = statSync(records, { throwIfNoEntry: false })?.size ?? 0;
    const mebibytes = residentMebibytes(pid);
    if (mebibytes === undefined) return samples;
    if (now > size) {
      size = now;
      const round = (await readLines(records)).at(-1)?.round ?? 0;
      samples.push({ round, mebibytes });
      if (round >= rounds) return samples;
    }
    await sleep(20);
  }
}

/** Undefined when the process is gone. */
function residentMebibytes(pid: number): number | undefined {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? undefined : Number(line[1]) / 1024;
  } catch {
    return undefined;
  }
}

function print(samples: readonly Sample[], rounds: number, cohort: number): void {
  console.log(`server of ${rounds} rounds, population 1e9, expected cohort ${cohort}: resident memory in MiB`);
  for (let tenth = 1; tenth <= 10; tenth++) {
    const part = samples.filter(({ round }) => round > (rounds * (tenth - 1)) / 10 && round <= (rounds * tenth) / 10);
    if (part.length === 0) continue;
    const values = part.map(({ mebibytes }) => mebibytes);
    const range = `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;
    console.log(
      `  rounds ${String((rounds * (tenth - 1)) / 10 + 1).padStart(4)} to ${(rounds * tenth) / 10}: ${range}`,
    );
  }
  const settled = samples.filter(({ round }) => round > SETTLED * rounds);
  console.log(`  slope over the second half: ${(1024 * slope(settled)).toFixed(1)} KiB per round`);
}

/** Least squares, in MiB per round. */
function slope(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(samples.map(({ round }) => round)), mean(samples.map(({ mebibytes }) => mebibytes))];
  let above = 0;
  let below = 0;
  for (const { round, mebibytes } of samples) {
    above += (round - x) * (mebibytes - y);
    below += (round - x) ** 2;
  }
  return above / below;
}
