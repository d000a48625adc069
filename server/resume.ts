import { ConfigError, DataError } from '../errors.ts';
import { type LedgerEntry, parseLedger } from '../privacy/ledger.ts';
import type { NoiseSource } from '../privacy/noise.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type RoundLine, type RunDirectory, readLines } from './run-directory.ts';

/**
 * Makes sure that a run may start from round 0 in `directory`. A record of round 0 that a crash left without its checkpoint
 * is dropped; anything further is the record of a run and is not written over.
 * @throws ConfigError when the directory holds a run
 */
export async function requireFresh(directory: RunDirectory): Promise<void> {
  if ((await readLines(directory.ledgerFile)).length > 0) {
    throw new ConfigError(`${directory.path}: there is a run in this directory; resume it or choose another`);
  }
  await directory.truncate(directory.roundsFile, -1);
}

/**
 * Brings a run directory back to the moment of `checkpoint`: later rounds are dropped, for they will be computed again.
 *
 * With seeded noise a repeated round repeats its output, and the ledger goes back too. With cryptographic noise the second
 * output is another one, and the first may have been seen: entries of lost rounds then stay in the ledger and stay spent.
 *
 * @param configHash hash of the settings the run is to continue with
 * @returns the entries of the ledger
 * @throws ConfigError when the settings are not those of the checkpoint
 * @throws DataError when records of rounds before the checkpoint are missing or damaged
 */
export async function restoreRun(
  directory: RunDirectory,
  checkpoint: Checkpoint,
  configHash: string,
  noiseSource: NoiseSource,
): Promise<LedgerEntry[]> {
  if (checkpoint.configHash !== configHash) {
    throw new ConfigError(
      `${directory.path}: its checkpoint was made with other settings; resume with the run's own config.yaml or start a new run`,
    );
  }
  const { round } = checkpoint;
  const records = await directory.truncate(directory.roundsFile, round);
  requireRounds(records, 0, round, directory.roundsFile);
  const lastKept = noiseSource === 'seeded' ? round : Number.POSITIVE_INFINITY;
  const ledger = await directory.truncate(directory.ledgerFile, lastKept);
  requireRounds(ledger, 1, round, directory.ledgerFile);
  return parseLedger(ledger.map((line) => JSON.stringify(line)).join('\n'));
}

function requireRounds(lines: readonly RoundLine[], first: number, last: number, file: string): void {
  const present = new Set(lines.map((line) => line.round));
  for (let round = first; round <= last; round++) {
    if (!present.has(round)) {
      throw new DataError(`${file}: round ${round} is missing; restore the file or start a new run`);
    }
  }
}
