import { z } from 'zod';
import { PrivacyError } from '../errors.ts';

/**
 * What a mechanism did to user data: small frozen values, apart from the accountants that price them
 * (after the privacy events of Google's dp_accounting).
 */
export type PrivacyEvent = GaussianEvent | PoissonSampledEvent | ComposedEvent | SelfComposedEvent | NonPrivateEvent;

/** Gaussian noise of standard deviation `noiseMultiplier` × sensitivity on a sum over all users. */
export interface GaussianEvent {
  readonly kind: 'gaussian';
  readonly noiseMultiplier: number;
}

/** `event` on a random subset that each user joins independently with probability `samplingRate`. */
export interface PoissonSampledEvent {
  readonly kind: 'poissonSampled';
  readonly samplingRate: number;
  readonly event: PrivacyEvent;
}

/** All of `events`, each free to depend on the outcomes of those before. */
export interface ComposedEvent {
  readonly kind: 'composed';
  readonly events: readonly PrivacyEvent[];
}

/** `event`, `count` times. */
export interface SelfComposedEvent {
  readonly kind: 'selfComposed';
  readonly event: PrivacyEvent;
  readonly count: number;
}

/** User data was used without differential privacy: epsilon is infinite. */
export interface NonPrivateEvent {
  readonly kind: 'nonPrivate';
  readonly reason: string;
}

/** @throws PrivacyError unless the multiplier is positive and finite; no noise is `nonPrivate`, not a multiplier of 0 */
export function gaussian(noiseMultiplier: number): GaussianEvent {
  if (!(noiseMultiplier > 0) || !Number.isFinite(noiseMultiplier)) {
    throw new PrivacyError(`event gaussian: noiseMultiplier must be positive and finite, got ${noiseMultiplier}`);
  }
  return Object.freeze({ kind: 'gaussian', noiseMultiplier });
}

/** @throws PrivacyError unless the rate is in [0, 1] */
export function poissonSampled(samplingRate: number, event: PrivacyEvent): PoissonSampledEvent {
  if (!(samplingRate >= 0 && samplingRate <= 1)) {
    throw new PrivacyError(`event poissonSampled: samplingRate must be in [0, 1], got ${samplingRate}`);
  }
  return Object.freeze({ kind: 'poissonSampled', samplingRate, event });
}

export function composed(events: readonly PrivacyEvent[]): ComposedEvent {
  return Object.freeze({ kind: 'composed', events: Object.freeze([...events]) });
}

/** @throws PrivacyError unless the count is a whole number, 0 or more */
export function selfComposed(event: PrivacyEvent, count: number): SelfComposedEvent {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new PrivacyError(`event selfComposed: count must be a whole number of times, got ${count}`);
  }
  return Object.freeze({ kind: 'selfComposed', event, count });
}

export function nonPrivate(reason: string): NonPrivateEvent {
  return Object.freeze({ kind: 'nonPrivate', reason });
}

/** Neighbouring data sets differ by all data of one user (arXiv:2310.00098 Definition 2). Every epsilon of dpfl is under it. */
export const ADJACENCY = 'add-or-remove-one-user';

/** What one central step did to user data. The ledger of a run has one entry per step that ran, also for an empty cohort. */
export interface LedgerEntry {
  /** Central step, 1 … T. A step that ran twice (after a crash) stands twice: both outputs may have been seen. */
  readonly round: number;
  readonly adjacency: typeof ADJACENCY;
  readonly event: PrivacyEvent;
}

/** @throws PrivacyError unless the round is a positive integer */
export function ledgerEntry(round: number, event: PrivacyEvent): LedgerEntry {
  if (!Number.isSafeInteger(round) || round < 1) {
    throw new PrivacyError(`ledger: round must be a positive integer, got ${round}`);
  }
  return Object.freeze({ round, adjacency: ADJACENCY, event });
}

const nested = z.lazy((): z.ZodType<PrivacyEvent> => eventSchema);

/** Parses to the frozen events above, not to look-alikes. */
const eventSchema: z.ZodType<PrivacyEvent> = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('gaussian'), noiseMultiplier: z.number().positive() })
    .transform((event) => gaussian(event.noiseMultiplier)),
  z
    .strictObject({ kind: z.literal('poissonSampled'), samplingRate: z.number().min(0).max(1), event: nested })
    .transform((event) => poissonSampled(event.samplingRate, event.event)),
  z.strictObject({ kind: z.literal('composed'), events: z.array(nested) }).transform((event) => composed(event.events)),
  z
    .strictObject({ kind: z.literal('selfComposed'), event: nested, count: z.int().min(0) })
    .transform((event) => selfComposed(event.event, event.count)),
  z.strictObject({ kind: z.literal('nonPrivate'), reason: z.string() }).transform((event) => nonPrivate(event.reason)),
]);

const entrySchema = z
  .strictObject({ round: z.int().min(1), adjacency: z.literal(ADJACENCY), event: eventSchema })
  .transform(({ round, event }) => ledgerEntry(round, event));

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
  const result = entrySchema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  throw new PrivacyError(`ledger line ${number}: ${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`);
}
