import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RoundRecord } from '../../server/records.ts';

/** What a fixture run directory is made from; every part can be changed. */
export interface Fixture {
  readonly config: string;
  readonly manifest: unknown;
  readonly rounds: readonly RoundRecord[];
  readonly ledger: readonly unknown[];
}

export const CONFIG = `
name: tiny
seed: 0
model: { kind: transformer-ctc, blocks: 1, width: 8, heads: 2, mlp: 16, stride: 4 }
data: { kind: synthetic-speech, population: 10000 }
seedModel: { steps: 10 }
local: { steps: 2, batchSize: 2, learningRate: 0.1 }
federation: { rounds: 4, expectedCohort: 100 }
optimizer: { kind: lamb, learningRate: 0.01 }
privacy:
  mechanism: gaussian
  clipping: { mode: dim, bound: 0.1 }
  noise: { multiplier: 1 }
  delta: 1.0e-6
  extrapolate:
    - { population: 1000000, expectedCohort: 1000 }
`;

export function roundRecord(round: number, changes: Partial<RoundRecord> = {}): RoundRecord {
  return {
    round,
    cohort: 90 + round,
    contributed: 90 + round,
    rejectedNonFinite: 0,
    trainLoss: 3 / (round + 1),
    learningRate: 0.01,
    updateNorm: 0.1,
    // deliberately wrong: a report must not copy epsilon from the records
    epsilon: 123456,
    layers: {
      names: ['w|qkv', 'output'],
      deltaNorms: [0.2, 0.4],
      clippedFraction: [0.5, 1],
      signalToNoise: [0.01, 0.02],
    },
    seconds: { total: 2, training: 1, evaluation: 0.5, server: 0.5 },
    ...changes,
  };
}

export function ledgerLine(round: number, noiseMultiplier = 1, samplingRate = 0.01): unknown {
  const event = { kind: 'poissonSampled', samplingRate, event: { kind: 'gaussian', noiseMultiplier } };
  return { round, adjacency: 'add-or-remove-one-user', event };
}

export const FINISHED: Fixture = {
  config: CONFIG,
  manifest: {
    seed: 0,
    population: 10000,
    dataset: 'Spoken digits.',
    node: 'v20.0.0',
    processors: 2,
    modelFingerprint: 'c0ffee',
    memoryGiB: 24,
    nested: { not: 'shown' },
  },
  rounds: [
    roundRecord(0, { cohort: 0, contributed: 0, evaluation: { examples: 50, loss: 4, wer: 0.9, cer: 0.6 } }),
    roundRecord(1),
    roundRecord(2, { evaluation: { examples: 50, loss: 3, wer: 0.6, cer: 0.3 } }),
    roundRecord(3, { rejectedNonFinite: 2, contributed: 91 }),
    roundRecord(4, { evaluation: { examples: 50, loss: 2, wer: 0.25, cer: 0.1 } }),
  ],
  ledger: [1, 2, 3, 4].map((round) => ledgerLine(round)),
};

/** Writes a run directory at `directory` and returns its path. */
export function writeRun(directory: string, changes: Partial<Fixture> = {}): string {
  const { config, manifest, rounds, ledger } = { ...FINISHED, ...changes };
  const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'config.yaml'), config);
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
  writeFileSync(join(directory, 'rounds.jsonl'), lines(rounds));
  writeFileSync(join(directory, 'ledger.jsonl'), lines(ledger));
  return directory;
}
