import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Bytes given to one system call; larger writes are not portable. */
const CHUNK_BYTES = 2 ** 26;

/**
 * Writes a file so that, whatever crashes, `path` holds either what it held before or all of `parts`: temporary name, sync,
 * rename, sync of the directory.
 */
export async function writeAtomically(path: string, parts: Iterable<Uint8Array | string>): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  const file = await open(temporary, 'w');
  try {
    for (const part of parts) await writeFully(file, typeof part === 'string' ? Buffer.from(part) : part);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Appends text and waits until it is on the disk. */
export async function appendDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    await writeFully(file, Buffer.from(text));
    await file.sync();
  } finally {
    await file.close();
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
