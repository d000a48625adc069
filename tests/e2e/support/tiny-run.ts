import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { endCommands } from '../../support/command-line.ts';

/** A whole training on synthetic speech that takes about a second. */
const TINY = {
  name: 'tiny',
  seed: 1,
  model: { kind: 'transformer-ctc', blocks: 1, width: 16, heads: 2, mlp: 32, stride: 4 },
  data: {
    kind: 'synthetic-speech',
    population: 1000,
    utterancesPerUser: 2,
    evaluationSpeakers: 3,
    evaluationUtterances: 2,
    seedSpeakers: 4,
    seedUtterances: 2,
    maxWords: 2,
    features: { filters: 16 },
  },
  seedModel: { steps: 5, batchSize: 4 },
  local: { steps: 6, batchSize: 2, learningRate: 0.2 },
  federation: { rounds: 3, expectedCohort: 8, shardSize: 2, workers: 2 },
  optimizer: { kind: 'lamb', learningRate: 0.01 },
  // RDP is quick and in every record; the unit tests ask for the default, PLD.
  privacy: { clipping: { mode: 'dim', bound: 0.1 }, noise: { multiplier: 0.5 }, delta: 1e-4, accountant: 'rdp' },
  evaluation: { every: 2, batchSize: 8 },
  checkpoint: { every: 2 },
  output: 'runs',
};

const directories: string[] = [];

/** A fresh directory, which `cleanUp` removes. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'dpfl-e2e-'));
  directories.push(directory);
  return directory;
}

/** For `afterAll`: ends all processes and removes all directories of this test file. */
export async function cleanUp(): Promise<void> {
  await endCommands();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}

/** A fresh directory with `tiny.yaml`; `changes` replace whole top-level keys, undefined removes one. */
export function tinyDirectory(changes: Readonly<Record<string, unknown>> = {}): string {
  const directory = temporaryDirectory();
  writeConfig(join(directory, 'tiny.yaml'), changes);
  return directory;
}

/** Writes the tiny configuration with other top-level keys. */
export function writeConfig(file: string, changes: Readonly<Record<string, unknown>> = {}): void {
  writeFileSync(file, stringify({ ...TINY, ...changes }));
}

/** All that a run decides; the times are nobody's promise. */
export interface Outcome {
  /** SHA-256 of model.onnx. */
  readonly model: string;
  readonly rounds: readonly unknown[];
  readonly ledger: string;
}

export function outcomeOf(run: string): Outcome {
  return {
    model: sha256(readFileSync(join(run, 'model.onnx'))),
    rounds: records(run).map(({ seconds: _seconds, faults: _faults, ...record }) => record),
    ledger: readFileSync(join(run, 'ledger.jsonl'), 'utf8'),
  };
}

interface RecordLine {
  readonly round: number;
  readonly cohort: number;
  readonly evaluation?: { readonly loss: number };
  readonly seconds: { readonly workers?: { readonly localTraining: number } };
  readonly faults?: Readonly<Record<string, number>>;
}

/** The whole lines of a run's rounds.jsonl; none when there is no file yet. */
export function records(run: string): RecordLine[] {
  let text = '';
  try {
    text = readFileSync(join(run, 'rounds.jsonl'), 'utf8');
  } catch {
    return [];
  }
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as RecordLine);
}

/** Waits until a run has recorded `round`. @throws Error after 30 s */
export async function untilRound(run: string, round: number): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    if (records(run).some((record) => record.round === round)) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`${run}: round ${round} was not recorded within 30 s`);
}

/** Path below `directory` → SHA-256, of every file. */
export function fingerprints(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [path.slice(directory.length + 1), sha256(readFileSync(path))]));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
