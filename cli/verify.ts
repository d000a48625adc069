import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, DpflError } from '../errors.ts';
import { encodeModel } from '../graph/onnx/write.ts';
import { type Finding, mismatch, ok, unchecked } from '../report/finding.ts';
import { type RunFiles, readRunFiles } from '../report/run-files.ts';
import { verifyCheckpoints } from '../report/verify-checkpoints.ts';
import { verifyEpsilon, verifyLedger, verifyReport, verifyRounds } from '../report/verify-records.ts';
import { type Checkpoint, checkpointName, checkpointRounds, loadCheckpoint } from '../server/checkpoint.ts';
import type { RoundRecord } from '../server/records.ts';
import { runConfig } from '../server/run-config.ts';
import { RunDirectory, readLines } from '../server/run-directory.ts';
import { LOCK_NAME } from '../server/run-lock.ts';
import { RunPrivacy } from '../server/run-privacy.ts';
import { loadConfig } from './load-config.ts';
import { requireSameSubject } from './open-run-directory.ts';
import { blockOf, type Prepared, prepare } from './prepare.ts';
import { replay } from './replay.ts';

/**
 * Checks the files of a run directory against each other and, where that is possible, against the run done again.
 * @param round last round to replay; undefined: the one after the newest checkpoint that a recorded round follows
 * @returns one finding per file or claim
 * @throws ConfigError when there is no run, or no way to replay the round that is asked for
 */
export async function verifyRun(directory: string, round?: number): Promise<Finding[]> {
  const opened = await RunDirectory.open(directory);
  if (!(await exists(join(directory, 'config.yaml')))) {
    throw new ConfigError(
      `${directory}: no run here (it has no config.yaml); give a run directory such as runs/name-001`,
    );
  }
  const read = await reading(async () => {
    const files = await readRunFiles(directory);
    return { files, records: (await readLines(opened.roundsFile)) as RoundRecord[] };
  });
  if ('finding' in read) return [read.finding];
  const { files, records } = read;
  const seeded = files.config.privacy.noiseSource === 'seeded';
  const findings = [
    ...verifyRounds(records),
    ...verifyLedger(files.ledger, records, seeded),
    ...verifyEpsilon(files, records),
    ...(await verifyCheckpoints(opened.checkpoints, files.config, records)),
  ];
  const settled = !(await exists(join(directory, LOCK_NAME)));
  if (!settled) {
    findings.push(
      unchecked('report.json, model.onnx', 'the run is under way, or was killed: they may be of an earlier stop'),
    );
  } else if (await exists(join(directory, 'report.json'))) {
    findings.push(...verifyReport(await readFile(join(directory, 'report.json'), 'utf8'), files));
  }
  const subject = await reading(async () => {
    const config = loadConfig(runConfig, join(directory, 'config.yaml'), []);
    return prepare(config, await blockOf(config));
  });
  if ('finding' in subject) {
    const { message } = subject.finding;
    return [...findings, unchecked('replay', `model and data of the run are not at hand: ${message}`)];
  }
  const same = await reading(async () => ({ other: await requireSameSubject(opened, files.config, subject) }));
  if ('finding' in same) return [...findings, mismatch('manifest.json', same.finding.message)];
  findings.push(ok('manifest.json', 'data and model are those that it names'));
  if (same.other) findings.push(unchecked('manifest.json', `${same.other}: the last bits of a replay may differ`));
  findings.push(...verifyEvents(files, subject));
  if (settled) findings.push(...(await verifyModel(directory, subject, records)));
  if (findings.some(({ status }) => status === 'mismatch') && round === undefined) {
    return [
      ...findings,
      unchecked('replay', 'files do not fit each other; name a round with --round to replay it all the same'),
    ];
  }
  if (!seeded) {
    const why = 'noise and cohorts came from the operating system and were not kept; nobody can repeat a round';
    return [...findings, unchecked('replay', why)];
  }
  return [...findings, ...(await replayFrom(opened, files, subject, records, round))];
}

/** Every line of the ledger must be the event that the settings and the model's layers make. */
function verifyEvents({ config, ledger }: RunFiles, { layout, dataset }: Prepared): Finding[] {
  const privacy = new RunPrivacy(config, layout, dataset.population);
  for (const [index, entry] of ledger.entries()) {
    if (privacy.mayWrite(entry)) continue;
    return [mismatch(`ledger.jsonl:${index + 1}`, 'its event is not that of the settings in config.yaml')];
  }
  return [ok('ledger.jsonl', 'every event is that of the settings in config.yaml')];
}

/** model.onnx, written when a run stops, must hold the parameters of the newest checkpoint. */
async function verifyModel(directory: string, run: Prepared, records: readonly RoundRecord[]): Promise<Finding[]> {
  const held = await readFile(join(directory, 'model.onnx')).catch(() => undefined);
  if (held === undefined) return [unchecked('model.onnx', 'there is none: the run has not ended')];
  const checkpoints = join(directory, 'checkpoints');
  const [newest] = await checkpointRounds(checkpoints);
  const last = records.at(-1)?.round;
  if (newest === undefined || newest !== last)
    return [unchecked('model.onnx', `there is no checkpoint of round ${last}`)];
  const loaded = await reading(() => loadCheckpoint(join(checkpoints, checkpointName(newest))));
  if ('finding' in loaded) return [];
  if (loaded.parameters.length !== run.layout.size) {
    return [mismatch(`checkpoints/${checkpointName(newest)}`, 'has another number of parameters than the model')];
  }
  const due = encodeModel(run.adapted.finish(run.layout, loaded.parameters));
  if (Buffer.compare(due, held) === 0) return [ok('model.onnx', `holds the parameters of round ${newest}`)];
  return [mismatch('model.onnx', `is not the model with the parameters of checkpoints/${checkpointName(newest)}`)];
}

async function replayFrom(
  opened: RunDirectory,
  files: RunFiles,
  run: Prepared,
  records: readonly RoundRecord[],
  round: number | undefined,
): Promise<Finding[]> {
  const last = records.at(-1)?.round ?? 0;
  const candidates = (await checkpointRounds(opened.checkpoints)).filter((each) => each < last);
  if (round !== undefined && round > last) {
    throw new ConfigError(`--round ${round}: the run ends with round ${last}; name one up to it`);
  }
  const from = candidates.find((each) => each < (round ?? last));
  if (from === undefined) {
    if (round === undefined) return [unchecked('replay', 'there is no checkpoint before a recorded round')];
    const first = Math.min(...candidates) + 1;
    const which = candidates.length === 0 ? 'no round can be replayed' : `rounds ${first} to ${last} can be replayed`;
    throw new ConfigError(`--round ${round}: there is no checkpoint before it; ${which}`);
  }
  const replayed = await reading(async () => {
    const checkpoint: Checkpoint = await loadCheckpoint(join(opened.checkpoints, checkpointName(from)));
    const { config, ledger } = files;
    return replay({ config, run, checkpoint, until: round ?? from + 1, records, ledger });
  });
  return 'finding' in replayed ? [replayed.finding] : replayed;
}

/** Files that cannot be read are a finding, not the end of the verification; that there is no run at all is not. */
async function reading<T extends object>(work: () => Promise<T>): Promise<T | { readonly finding: Finding }> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DpflError)) throw error;
    return { finding: mismatch('files', error.message) };
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
