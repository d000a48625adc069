import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { RunDirectory, readLines } from '../../server/run-directory.ts';
import { temporaryDirectory } from './toy-run.ts';

describe('RunDirectory', () => {
  test('runs of one name are numbered and never share a directory, even when they start at once', async () => {
    const parent = join(await temporaryDirectory(), 'runs');
    const made = await Promise.all(Array.from({ length: 5 }, () => RunDirectory.create(parent, 'toy')));
    const names = made.map(({ path }) => basename(path)).sort();
    expect(names).toEqual(['toy-001', 'toy-002', 'toy-003', 'toy-004', 'toy-005']);
    expect(basename((await RunDirectory.create(parent, 'other')).path)).toBe('other-001');
  });

  test('an existing directory is not taken over, a missing one not opened', async () => {
    const parent = await temporaryDirectory();
    const { path } = await RunDirectory.create(parent, 'mine');
    expect((await RunDirectory.create(parent, 'mine')).path).not.toBe(path);
    expect((await RunDirectory.open(path)).path).toBe(path);
    await expect(RunDirectory.open(join(parent, 'absent'))).rejects.toThrow('no run directory');
  });

  test('whole files are replaced and leave nothing behind', async () => {
    const directory = await RunDirectory.create(await temporaryDirectory(), 'toy');
    await directory.write('config.yaml', 'seed: 1\n');
    await directory.write('config.yaml', 'seed: 2\n');
    await directory.write('model.onnx', Uint8Array.of(1, 2, 3));
    expect(await readFile(join(directory.path, 'config.yaml'), 'utf8')).toBe('seed: 2\n');
    expect([...(await readFile(join(directory.path, 'model.onnx')))]).toEqual([1, 2, 3]);
    expect((await readdir(directory.path)).sort()).toEqual(['config.yaml', 'model.onnx']);
  });

  test('lines are appended, and truncation keeps them byte for byte', async () => {
    const directory = await RunDirectory.create(await temporaryDirectory(), 'toy');
    const records = [0, 1, 2, 3].map((round) => ({ round, loss: 0.1 + round / 3, list: [1e-300, null] }));
    for (const record of records) await directory.appendRound(record);
    const before = await readFile(directory.roundsFile, 'utf8');
    expect(await directory.truncate(directory.roundsFile, 2)).toEqual(records.slice(0, 3));
    const after = await readFile(directory.roundsFile, 'utf8');
    expect(before.startsWith(after)).toBe(true);
    await directory.appendRound(records[3]);
    expect(await readFile(directory.roundsFile, 'utf8')).toBe(before);
  });

  test('a torn last line is left out; damage elsewhere names its line', async () => {
    const directory = await RunDirectory.create(await temporaryDirectory(), 'toy');
    await writeFile(directory.ledgerFile, '{"round":1}\n{"round":2}\n{"rou');
    expect(await readLines(directory.ledgerFile)).toEqual([{ round: 1 }, { round: 2 }]);
    await writeFile(directory.ledgerFile, '{"round":1}\n{"rou\n{"round":3}\n');
    await expect(readLines(directory.ledgerFile)).rejects.toThrow('ledger.jsonl:2: this line is not JSON');
    await writeFile(directory.ledgerFile, '{"step":1}\n');
    await expect(readLines(directory.ledgerFile)).rejects.toThrow('ledger.jsonl:1: this line has no round');
  });

  test('a file that is not there has no lines', async () => {
    const directory = await RunDirectory.create(await temporaryDirectory(), 'toy');
    expect(await readLines(directory.roundsFile)).toEqual([]);
  });
});
