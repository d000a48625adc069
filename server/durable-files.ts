import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DataError } from '../errors.ts';

/** Bytes given to one system call; larger writes are not portable. */
const CHUNK_BYTES = 2 ** 26;

/**
 * Writes a file so that, whatever crashes, `path` holds either what it held before or all of `parts`: temporary name, sync,
 * rename, sync of the directory.
 * @throws DataError when the disk is full or refuses; `path` then holds what it held before, and nothing else is left
 */
export async function writeAtomically(path: string, parts: Iterable<Uint8Array | string>): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  await explained(path, async () => {
    try {
      await writeWhole(temporary, parts);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncDirectory(dirname(path));
  });
}

/**
 * Appends text and waits until it is on the disk.
 * @throws DataError when the disk is full or refuses; a part that was written is taken back
 */
export async function appendDurably(path: string, text: string): Promise<void> {
  await explained(path, async () => {
    const file = await open(path, 'a');
    try {
      const { size } = await file.stat();
      try {
        await writeFully(file, Buffer.from(text));
        await file.sync();
      } catch (error) {
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
    } finally {
      await file.close();
    }
  });
}

async function writeWhole(path: string, parts: Iterable<Uint8Array | string>): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (const part of parts) await writeFully(file, typeof part === 'string' ? Buffer.from(part) : part);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What an operator can mend, by the system's error code. */
const MENDS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space',
  EDQUOT: 'the disk quota is used up; free some space or have it raised',
  EROFS: 'the file system is read-only; mount it writable',
  EACCES: 'this user may not write there; mend the permissions',
  EPERM: 'this user may not write there; mend the permissions',
  EIO: 'the disk failed; check it',
};

async function explained(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    const mend = MENDS[(error as NodeJS.ErrnoException).code ?? ''];
    if (mend === undefined) throw error;
    throw new DataError(`${path}: cannot be written, ${mend}`, { cause: error });
  }
}

/** Fills `into` from the file's current position; returns false when the file ends early. */
export async function readFully(file: FileHandle, into: Uint8Array): Promise<boolean> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, Math.min(into.length - done, CHUNK_BYTES));
    if (bytesRead === 0) return false;
    done += bytesRead;
  }
  return true;
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, CHUNK_BYTES));
    done += bytesWritten;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
