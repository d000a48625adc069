import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigError, DataError } from '../errors.ts';
import { type LedgerEntry, parseLedger } from '../privacy/ledger.ts';
import { AUDIT_FILE } from '../server/audit-scores.ts';
import { checkpointRounds } from '../server/checkpoint.ts';
import type { RoundRecord } from '../server/records.ts';
import { parseRunConfig, type RunConfig } from '../server/run-config.ts';
import { readLines } from '../server/run-directory.ts';
import { type AuditScores, readAuditScores } from './audit-scores.ts';

/** What reports need of manifest.json; other entries are shown as they are when they are single values. */
const manifest = z.looseObject({
  /** K, as the opened data set has it. */
  population: z.int().min(1),
  /** Sentences on data and model. */
  dataset: z.string().optional(),
  model: z.string().optional(),
  /** What became of BatchNormalization, for models that have any. */
  batchNorm: z.string().optional(),
  /** What adapters are trained, for runs with LoRA. */
  lora: z.string().optional(),
  /** What a user of this data set is, where it is not a person. */
  userMeaning: z.string().optional(),
});
export type ReportManifest = z.infer<typeof manifest>;

/** All that a report is made from: the files of a run directory, read and checked. */
export interface RunFiles {
  readonly config: RunConfig;
  readonly manifest: ReportManifest;
  readonly rounds: readonly RoundRecord[];
  readonly ledger: readonly LedgerEntry[];
  /** Of the canaries; undefined when the run is not audited. */
  readonly auditScores?: AuditScores | undefined;
}

/**
 * Reads config.yaml, manifest.json, rounds.jsonl and ledger.jsonl of a run directory.
 * @throws ConfigError when there is no run at `directory`; DataError or PrivacyError when a file is damaged, or the
 *   ledger lacks a round that was run
 */
export async function readRunFiles(directory: string): Promise<RunFiles> {
  const found = await stat(join(directory, 'config.yaml')).catch(() => undefined);
  if (!found?.isFile()) {
    throw new ConfigError(
      `${directory}: no run here (it has no config.yaml); give a run directory such as runs/name-001`,
    );
  }
  const rounds = lastOfEachRound((await readLines(join(directory, 'rounds.jsonl'))) as RoundRecord[]);
  const ledgerFile = join(directory, 'ledger.jsonl');
  const ledger = await readLedger(ledgerFile);
  const accounted = new Set(ledger.map(({ round }) => round));
  const done = [...rounds.map(({ round }) => round), ...(await checkpointRounds(join(directory, 'checkpoints')))];
  const missing = done.find((round) => round > 0 && !accounted.has(round));
  if (missing !== undefined) {
    throw new DataError(`${ledgerFile}: round ${missing} is missing, so epsilon would be too low; restore the file`);
  }
  const config = await readConfig(join(directory, 'config.yaml'));
  const { audit } = config.privacy;
  return {
    config,
    manifest: await readManifest(join(directory, 'manifest.json')),
    rounds,
    ledger,
    ...(audit === undefined ? {} : { auditScores: await readAuditScores(join(directory, AUDIT_FILE), audit.canaries) }),
  };
}

async function readConfig(file: string): Promise<RunConfig> {
  let raw: unknown;
  try {
    raw = parse(await readFile(file, 'utf8'), { prettyErrors: false });
  } catch (cause) {
    throw new DataError(`${file}: cannot be read as YAML; the run directory is damaged`, { cause });
  }
  return parseRunConfig(raw, file);
}

async function readManifest(file: string): Promise<ReportManifest> {
  let raw: unknown;
  try {
    raw = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new DataError(`${file}: cannot be read as JSON; the run directory is damaged`, { cause });
  }
  const parsed = manifest.safeParse(raw);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new DataError(`${file}: ${path.join('.')}: ${message}; the run directory is damaged`);
}

async function readLedger(file: string): Promise<LedgerEntry[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''; // stopped before the first central step
    throw new DataError(`${file}: cannot be read`, { cause: error });
  });
  // A last line without its line feed was torn by a crash, before its noise was added.
  return parseLedger(text.slice(0, text.lastIndexOf('\n') + 1));
}

/** Records in the order of rounds. A round that ran again after a crash gave the same model; its last record counts. */
function lastOfEachRound(records: readonly RoundRecord[]): RoundRecord[] {
  return [...new Map(records.map((record) => [record.round, record])).values()].sort((a, b) => a.round - b.round);
}
