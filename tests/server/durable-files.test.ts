import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DataError } from '../../errors.ts';
import { appendDurably, writeAtomically } from '../../server/durable-files.ts';
import { temporaryDirectory } from './toy-run.ts';

const onLinux = process.platform === 'linux' ? test : test.skip;

describe('durable files', () => {
  test('lines are appended; a whole file is replaced, and nothing else is left', async () => {
    const directory = await temporaryDirectory();
    await appendDurably(join(directory, 'lines'), 'a\n');
    await appendDurably(join(directory, 'lines'), 'b\n');
    await writeAtomically(join(directory, 'whole'), ['old']);
    await writeAtomically(join(directory, 'whole'), [Buffer.from('ne'), 'w']);
    expect(await readFile(join(directory, 'lines'), 'utf8')).toBe('a\nb\n');
    expect(await readFile(join(directory, 'whole'), 'utf8')).toBe('new');
    expect((await readdir(directory)).sort()).toEqual(['lines', 'whole']);
  });

  onLinux('a full disk is an error that says so', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'ledger.jsonl');
    await symlink('/dev/full', file);
    const failed = appendDurably(file, 'a line\n');
    await expect(failed).rejects.toThrow(DataError);
    await expect(failed).rejects.toThrow(`${file}: cannot be written, the disk is full; free some space`);
  });

  test('what fails half-way leaves the old content, and no temporary file', async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, 'whole');
    await writeFile(file, 'old');
    function* parts() {
      yield 'half';
      throw new Error('the source failed');
    }
    await expect(writeAtomically(file, parts())).rejects.toThrow('the source failed');
    expect(await readFile(file, 'utf8')).toBe('old');
    expect(await readdir(directory)).toEqual(['whole']);
  });

  test('a rename that is refused leaves no temporary file either', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'in-the-way', 'full'), { recursive: true });
    await expect(writeAtomically(join(directory, 'in-the-way'), ['x'])).rejects.toThrow();
    expect(await readdir(directory)).toEqual(['in-the-way']);
  });
});
