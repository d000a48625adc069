import { join } from 'node:path';
import { DataError } from '../errors.ts';
import { type Checkpoint, checkpointName, checkpointRounds, loadCheckpoint } from '../server/checkpoint.ts';
import { configHash } from '../server/config-hash.ts';
import { parametersHash } from '../server/parameters-hash.ts';
import type { RoundRecord } from '../server/records.ts';
import type { RunConfig } from '../server/run-config.ts';
import { type Finding, mismatch, ok, unchecked } from './finding.ts';

/** Every checkpoint must be whole, of the settings in config.yaml, and hold the parameters that its round's record names. */
export async function verifyCheckpoints(
  directory: string,
  config: RunConfig,
  records: readonly RoundRecord[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const round of await checkpointRounds(directory)) {
    const place = `checkpoints/${checkpointName(round)}`;
    try {
      findings.push(
        verifyCheckpoint(place, await loadCheckpoint(join(directory, checkpointName(round))), round, config, records),
      );
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      findings.push(mismatch(place, error.message));
    }
  }
  return findings.length > 0 ? findings : [unchecked('checkpoints', 'there is none')];
}

function verifyCheckpoint(
  place: string,
  checkpoint: Checkpoint,
  round: number,
  config: RunConfig,
  records: readonly RoundRecord[],
): Finding {
  if (checkpoint.round !== round) return mismatch(place, `is the checkpoint of round ${checkpoint.round}`);
  if (checkpoint.configHash !== configHash(config)) {
    return mismatch('config.yaml', `its settings are not those of ${place}`);
  }
  const index = records.findIndex((record) => record.round === round);
  if (index < 0) return mismatch(place, `round ${round} is not in rounds.jsonl`);
  const stated = records[index].parametersSha256;
  if (stated === undefined) return unchecked(place, 'is whole; rounds.jsonl names no parameters to compare with');
  const held = parametersHash(checkpoint.parameters);
  if (held === stated) return ok(place, `whole, of these settings, with the parameters of round ${round}`);
  return mismatch(
    place,
    `holds parameters ${held.slice(0, 12)}…, but rounds.jsonl:${index + 1} names ${stated.slice(0, 12)}…`,
  );
}
