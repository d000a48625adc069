import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../errors.ts';
import { readFully, writeAtomically } from './durable-files.ts';
import type { OptimizerState } from './optimizers/central-optimizer.ts';

/** The state of a run after a round: all that the next round depends on besides the configuration. */
export interface Checkpoint {
  /** Last finished central step. */
  readonly round: number;
  /** Hash of the settings that shape the run; a run resumes only under the same ones. */
  readonly configHash: string;
  readonly parameters: Float32Array;
  readonly optimizer: OptimizerState;
  /** What later rounds of the privacy mechanism need of earlier ones; empty for most. */
  readonly privacy: PrivacyState;
}

/** Named arrays, stored bit for bit. */
export type PrivacyState = Readonly<Record<string, Float64Array>>;

/** A damaged header must not be trusted before the digest is checked: sizes in it decide what is read. */
const headerSchema = z.object({
  version: z.int(),
  round: z.int().min(0),
  configHash: z.string(),
  optimizerSteps: z.int().min(0),
  /** Float32 elements of each array, in file order; the first is the parameters, the others are optimizer slots. */
  arrays: z.array(z.object({ name: z.string(), length: z.int().min(0) })),
});
type Header = z.infer<typeof headerSchema>;

const MAGIC = 'DPFLCKPT';
const VERSION = 1;
const PREFIX_BYTES = 12;
const DIGEST_BYTES = 32;
const MAX_HEADER_BYTES = 1 << 20;
const FILE_NAME = /^round-(\d{6,})\.ckpt$/;
const TEMPORARY_NAME = /^round-\d{6,}\.ckpt\.tmp-\d+$/;

/** File name of the checkpoint after `round`. */
export function checkpointName(round: number): string {
  return `round-${String(round).padStart(6, '0')}.ckpt`;
}

/**
 * Writes a checkpoint atomically into `directory` and then deletes all but the `keep` newest.
 * Layout of the file: magic, header length (uint32), JSON header, float32 arrays, SHA-256 of all before; little endian.
 */
export async function saveCheckpoint(directory: string, checkpoint: Checkpoint, keep: number): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, checkpointName(checkpoint.round));
  await writeAtomically(path, withDigest(encode(checkpoint)));
  const older = (await checkpointRounds(directory)).filter((round) => round < checkpoint.round);
  for (const round of older.slice(Math.max(keep - 1, 0))) await rm(join(directory, checkpointName(round)));
  await removeTorn(directory);
  return path;
}

/** Deletes what a crash left of checkpoints that were being written. */
async function removeTorn(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (TEMPORARY_NAME.test(name)) await rm(join(directory, name));
  }
}

/**
 * Reads and verifies a checkpoint.
 * @throws DataError when the file is missing, torn, altered or of another version
 */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new DataError(`${path}: the checkpoint cannot be opened`, { cause });
  });
  try {
    return await decode(file, path);
  } finally {
    await file.close();
  }
}

/**
 * The newest checkpoint of a directory that is whole, or undefined when there is none at all.
 * @param onDamaged hears of each newer checkpoint that had to be passed over
 * @throws DataError when there are checkpoints but every one is damaged
 */
export async function newestCheckpoint(
  directory: string,
  onDamaged: (error: DataError) => void = () => {},
): Promise<Checkpoint | undefined> {
  const rounds = await checkpointRounds(directory);
  for (const round of rounds) {
    try {
      return await loadCheckpoint(join(directory, checkpointName(round)));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      onDamaged(error);
    }
  }
  if (rounds.length === 0) return undefined;
  throw new DataError(`${directory}: none of the ${rounds.length} checkpoints is whole; start a new run`);
}

/** Rounds with a checkpoint file, newest first. */
export async function checkpointRounds(directory: string): Promise<number[]> {
  const names = await readdir(directory).catch(() => []);
  return names
    .map((name) => FILE_NAME.exec(name))
    .filter((match) => match !== null)
    .map((match) => Number(match[1]))
    .sort((a, b) => b - a);
}

/** Arrays of the privacy state are named with this before their name. */
const PRIVACY_PREFIX = 'privacy/';

function* encode({ round, configHash, parameters, optimizer, privacy }: Checkpoint): Generator<Uint8Array> {
  const arrays: [string, Float32Array][] = [
    ['parameters', parameters],
    ...Object.entries(optimizer.slots),
    ...Object.entries(privacy).map(([name, array]): [string, Float32Array] => [
      `${PRIVACY_PREFIX}${name}`,
      new Float32Array(array.buffer, array.byteOffset, 2 * array.length),
    ]),
  ];
  const header: Header = {
    version: VERSION,
    round,
    configHash,
    optimizerSteps: optimizer.steps,
    arrays: arrays.map(([name, { length }]) => ({ name, length })),
  };
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.write(MAGIC, 'latin1');
  prefix.writeUInt32LE(json.length, MAGIC.length);
  yield prefix;
  yield json;
  for (const [, array] of arrays) yield bytesOf(array);
}

function* withDigest(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  const hash = createHash('sha256');
  for (const part of parts) {
    updateInChunks(hash, part);
    yield part;
  }
  yield hash.digest();
}

async function decode(file: FileHandle, path: string): Promise<Checkpoint> {
  const hash = createHash('sha256');
  const read = async (bytes: Uint8Array): Promise<void> => {
    if (!(await readFully(file, bytes))) throw new DataError(`${path}: the checkpoint ends early; use an older one`);
    updateInChunks(hash, bytes);
  };
  const header = await readHeader(read, path);
  const { size } = await file.stat();
  const expectedBytes = header.arrays.reduce((sum, { length }) => sum + 4 * length, DIGEST_BYTES);
  if (size < expectedBytes) throw new DataError(`${path}: the checkpoint ends early; use an older one`);
  const arrays = new Map<string, Float32Array>();
  for (const { name, length } of header.arrays) {
    const array = new Float32Array(length);
    await read(bytesOf(array));
    arrays.set(name, array);
  }
  const digest = new Uint8Array(DIGEST_BYTES);
  const whole = await readFully(file, digest);
  if (!whole || !hash.digest().equals(digest)) {
    throw new DataError(`${path}: the checkpoint's SHA-256 does not match its content; use an older one`);
  }
  const { parameters, ...rest } = Object.fromEntries(arrays);
  const isPrivacy = ([name]: [string, unknown]) => name.startsWith(PRIVACY_PREFIX);
  const slots = Object.fromEntries(Object.entries(rest).filter((entry) => !isPrivacy(entry)));
  const privacy = Object.fromEntries(
    Object.entries(rest)
      .filter(isPrivacy)
      .map(([name, { buffer }]) => [name.slice(PRIVACY_PREFIX.length), new Float64Array(buffer)]),
  );
  const { round, configHash, optimizerSteps } = header;
  return { round, configHash, parameters, optimizer: { steps: optimizerSteps, slots }, privacy };
}

async function readHeader(read: (bytes: Uint8Array) => Promise<void>, path: string): Promise<Header> {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  await read(prefix);
  const length = prefix.readUInt32LE(MAGIC.length);
  if (prefix.toString('latin1', 0, MAGIC.length) !== MAGIC || length > MAX_HEADER_BYTES) {
    throw new DataError(`${path}: this is not a checkpoint of dpfl`);
  }
  const json = Buffer.alloc(length);
  await read(json);
  const header = parseHeader(json.toString(), path);
  if (header.version !== VERSION) {
    throw new DataError(`${path}: checkpoint version ${header.version}; this program reads version ${VERSION}`);
  }
  return header;
}

function parseHeader(json: string, path: string): Header {
  try {
    return headerSchema.parse(JSON.parse(json));
  } catch (cause) {
    throw new DataError(`${path}: the checkpoint's header is damaged; use an older one`, { cause });
  }
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A hash takes less than 2 GiB at once. */
function updateInChunks(hash: Hash, bytes: Uint8Array): void {
  const chunk = 2 ** 28;
  for (let start = 0; start < bytes.length; start += chunk) hash.update(bytes.subarray(start, start + chunk));
}
