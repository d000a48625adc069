import { z } from 'zod';
import { PrivacyError } from '../errors.ts';
import { eventSchema } from './event-schema.ts';
import { ADD_OR_REMOVE, ADJACENCIES, type Adjacency, type PrivacyEvent } from './events.ts';

/** What one central step did to user data. The ledger of a run has one entry per step that ran, also for an empty cohort. */
export interface LedgerEntry {
  /** Central step, 1 … T. A step that ran twice (after a crash) stands twice: both outputs may have been seen. */
  readonly round: number;
  /** The neighbouring data sets that `event` is to be accounted under; the same in all entries of a run. */
  readonly adjacency: Adjacency;
  readonly event: PrivacyEvent;
}

/** @throws PrivacyError unless the round is a positive integer */
export function ledgerEntry(round: number, event: PrivacyEvent, adjacency: Adjacency = ADD_OR_REMOVE): LedgerEntry {
  if (!Number.isSafeInteger(round) || round < 1) {
    throw new PrivacyError(`ledger: round must be a positive integer, got ${round}`);
  }
  return Object.freeze({ round, adjacency, event });
}

const entrySchema = z
  .strictObject({ round: z.int().min(1), adjacency: z.enum(ADJACENCIES), event: eventSchema })
  .transform(({ round, adjacency, event }) => ledgerEntry(round, event, adjacency));

/** One line of ledger.jsonl, without the line feed. */
export function formatLedgerEntry(entry: LedgerEntry): string {
  return JSON.stringify(entry);
}

/**
 * Reads a ledger.jsonl. Blank lines are skipped.
 * @throws PrivacyError naming the line and the key that is wrong: an unreadable line means an unknown privacy loss
 */
export function parseLedger(text: string): LedgerEntry[] {
  const entries: LedgerEntry[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() !== '') entries.push(parseLine(line, index + 1));
  }
  return entries;
}

function parseLine(line: string, number: number): LedgerEntry {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new PrivacyError(`ledger line ${number}: not JSON; restore the file from the run's checkpoint`, { cause });
  }
  const result = parsed(value, number);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  throw new PrivacyError(`ledger line ${number}: ${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`);
}

/** Events check themselves when they are made; their complaints get the line's number too. */
function parsed(value: unknown, number: number): z.ZodSafeParseResult<LedgerEntry> {
  try {
    return entrySchema.safeParse(value);
  } catch (cause) {
    if (!(cause instanceof PrivacyError)) throw cause;
    throw new PrivacyError(`ledger line ${number}: ${cause.message}`, { cause });
  }
}
