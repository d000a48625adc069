import { readFile } from 'node:fs/promises';
import { parseLedger } from '../../privacy/ledger.ts';
import { loadCheckpoint } from '../../server/checkpoint.ts';
import type { RoundRecord } from '../../server/records.ts';
import { type FederatedRun, runFederated } from '../../server/run.ts';
import type { RunConfig } from '../../server/run-config.ts';
import { RunDirectory, readLines } from '../../server/run-directory.ts';
import { dataset, evaluator, layout, ToyServer, temporaryDirectory } from './toy-run.ts';

/** A toy run from start to end, or up to round `until`, and what it left. */
export async function toyRun(config: RunConfig, overrides: Partial<FederatedRun> = {}) {
  const runDirectory = overrides.runDirectory ?? (await RunDirectory.create(await temporaryDirectory(), 'toy'));
  const server = overrides.server ?? new ToyServer(config);
  const initialParameters = Float32Array.of(1, -1, 1, -1, 0.5);
  const options = { initialParameters, layout, evaluator, dataset, ...overrides, config, runDirectory, server };
  const outcome = await runFederated(options);
  const lines = (await readLines(runDirectory.roundsFile)) as RoundRecord[];
  const records = lines.map(({ seconds: _seconds, ...record }) => record);
  const ledger = parseLedger(await readFile(runDirectory.ledgerFile, 'utf8'));
  return { outcome, runDirectory, records, ledger };
}

/** The same run, stopped by a lost server in round `fatal` and resumed from the checkpoint of `round`. */
export async function interruptedRun(config: RunConfig, fatal: number, round: number) {
  const server = new ToyServer(config);
  const runDirectory = await RunDirectory.create(await temporaryDirectory(), 'toy');
  const dying = {
    workerCount: () => 1,
    runRound: async (...given: Parameters<ToyServer['runRound']>) => {
      if (given[0] === fatal) throw new Error('all workers died');
      await server.runRound(...given);
    },
  };
  const failed = await toyRun(config, { runDirectory, server: dying }).then(
    () => false,
    () => true,
  );
  if (!failed) throw new Error('the run was to fail');
  const name = `round-${String(round).padStart(6, '0')}.ckpt`;
  return toyRun(config, { runDirectory, resumeFrom: await loadCheckpoint(`${runDirectory.checkpoints}/${name}`) });
}
