import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTask } from '../client/open-task.ts';
import type { LedgerEntry } from '../privacy/ledger.ts';
import { type Finding, firstDifference, mismatch, ok, unchecked } from '../report/finding.ts';
import type { Checkpoint } from '../server/checkpoint.ts';
import { Evaluator } from '../server/evaluation.ts';
import { InProcessServer } from '../server/in-process.ts';
import type { RoundRecord } from '../server/records.ts';
import { runFederated } from '../server/run.ts';
import type { RunConfig } from '../server/run-config.ts';
import { RunDirectory } from '../server/run-directory.ts';
import type { Prepared } from './prepare.ts';

/** What a replay starts from, and what it is compared with. */
export interface ReplayRequest {
  readonly config: RunConfig;
  readonly run: Prepared;
  /** State before the first round to replay. */
  readonly checkpoint: Checkpoint;
  /** Last round to replay. */
  readonly until: number;
  readonly records: readonly RoundRecord[];
  readonly ledger: readonly LedgerEntry[];
}

/** Fields of a record that are not the same each time. */
const UNREPEATABLE: readonly string[] = ['seconds', 'faults'];

/**
 * Runs the rounds after a checkpoint again, as resuming would, in a temporary directory and in this process, and compares every record, and so
 * the parameters' hash, with what `rounds.jsonl` says.
 */
export async function replay(request: ReplayRequest): Promise<Finding[]> {
  const parent = await mkdtemp(join(tmpdir(), 'dpfl-verify-'));
  try {
    return compare(request, await runAgain(request, parent));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

async function runAgain(request: ReplayRequest, parent: string): Promise<RoundRecord[]> {
  const { config, run, checkpoint, until, records, ledger } = request;
  const runDirectory = await RunDirectory.create(parent, 'replay');
  const before = ({ round }: { readonly round: number }) => round <= checkpoint.round;
  for (const record of records.filter(before)) await runDirectory.appendRound(record);
  for (const entry of ledger.filter(before)) await runDirectory.appendLedger(entry);
  const stop = new AbortController();
  const again: RoundRecord[] = [];
  await runFederated({
    config,
    runDirectory,
    server: new InProcessServer(await openTask(run.task, run.training)),
    initialParameters: run.layout.allocate(),
    layout: run.layout,
    evaluator: await Evaluator.create(run.forward, run.dataset.task, run.binding),
    dataset: run.dataset,
    progress: {
      onRound: (record) => {
        again.push(record);
        if (record.round >= until) stop.abort();
      },
    },
    resumeFrom: checkpoint,
    signal: stop.signal,
  });
  return again;
}

function compare({ checkpoint, until, records }: ReplayRequest, again: readonly RoundRecord[]): Finding[] {
  const rounds = until === checkpoint.round + 1 ? `round ${until}` : `rounds ${checkpoint.round + 1} to ${until}`;
  if (again.length < until - checkpoint.round) {
    return [unchecked('replay', `${rounds} cannot be run again: config.yaml ends the run before`)];
  }
  for (const record of again) {
    const index = records.findIndex(({ round }) => round === record.round);
    const stated = records[index];
    const path = firstDifference(comparable(stated, stated), comparable(record, stated));
    if (path === undefined) continue;
    const place = `rounds.jsonl:${index + 1}`;
    return [
      mismatch(place, `${path} of round ${record.round} is not what a replay from round ${checkpoint.round} gives`),
    ];
  }
  return [
    ok(
      'replay',
      `${rounds}, from the checkpoint of round ${checkpoint.round}: same parameters, bit for bit, and same figures`,
    ),
  ];
}

/** The part of a record that a replay must repeat; whether a round is evaluated may have been changed since. */
function comparable(record: RoundRecord, stated: RoundRecord): unknown {
  const entries = Object.entries(JSON.parse(JSON.stringify(record)) as Record<string, unknown>);
  return Object.fromEntries(
    entries.filter(([key]) => !UNREPEATABLE.includes(key) && stated[key as keyof RoundRecord] !== undefined),
  );
}
