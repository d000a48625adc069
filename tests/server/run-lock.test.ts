import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { livesHere, type ProcessIdentity, thisProcess } from '../../server/process-identity.ts';
import { LOCK_NAME, RunLock } from '../../server/run-lock.ts';
import { temporaryDirectory } from './toy-run.ts';

const onLinux = process.platform === 'linux' ? test : test.skip;

async function holderOf(directory: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(directory, LOCK_NAME), 'utf8'));
}

/** A lock as another process would have left it. */
async function leaveLock(directory: string, holder: Partial<ProcessIdentity>, ageSeconds = 0): Promise<void> {
  const path = join(directory, LOCK_NAME);
  await writeFile(path, JSON.stringify({ ...thisProcess(), token: 'theirs', ...holder }));
  const then = Date.now() / 1000 - ageSeconds;
  await utimes(path, then, then);
}

describe('RunLock', () => {
  test('one process at a time; given back, it is free again and leaves no file', async () => {
    const directory = await temporaryDirectory();
    const lock = await RunLock.acquire(directory);
    const refused = RunLock.acquire(directory);
    await expect(refused).rejects.toThrow(`process ${process.pid} on`);
    await expect(refused).rejects.toThrow('is working on this run; stop it first');
    await lock.requireHeld();
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
    await (await RunLock.acquire(directory)).release();
  });

  test('of many that come at once exactly one has it', async () => {
    const directory = await temporaryDirectory();
    await leaveLock(directory, { host: 'elsewhere' }, 1000);
    for (let time = 0; time < 3; time++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => RunLock.acquire(directory)));
      const held = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(held).toHaveLength(1);
      await held[0].value.requireHeld();
      await held[0].value.release();
      expect(await readdir(directory)).toEqual([]);
      await leaveLock(directory, { host: 'elsewhere' }, 1000);
    }
  });

  onLinux('what a process left that was killed while it took the lock is swept away', async () => {
    const directory = await temporaryDirectory();
    await leaveLock(directory, { host: 'elsewhere' }, 1000);
    const dead = { ...thisProcess(), started: '1', token: 'dead' };
    await writeFile(join(directory, `${LOCK_NAME}.guard`), JSON.stringify(dead));
    await writeFile(join(directory, `${LOCK_NAME}.draft`), '');
    const lock = await RunLock.acquire(directory);
    expect(await readdir(directory)).toEqual([LOCK_NAME]);
    await lock.release();
  });

  test('a guard that a killed process elsewhere left is named', async () => {
    const directory = await temporaryDirectory();
    await leaveLock(directory, { host: 'elsewhere' }, 1000);
    await writeFile(join(directory, `${LOCK_NAME}.guard`), '');
    await expect(RunLock.acquire(directory, { guardSeconds: 0.1 })).rejects.toThrow(
      'run.lock.guard: left by a process that was killed',
    );
  });

  onLinux('that of a killed process here is taken over at once, that of a suspended one never', async () => {
    const directory = await temporaryDirectory();
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
    const pid = child.pid ?? 0;
    const started = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ')[21];
    await leaveLock(directory, { pid, started }, 1000);
    child.kill('SIGSTOP');
    await expect(RunLock.acquire(directory)).rejects.toThrow(`process ${pid} on`);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    const log: string[] = [];
    const lock = await RunLock.acquire(directory, { log: (line) => log.push(line) });
    expect(log.join()).toContain(`took over the lock of process ${pid} on`);
    await lock.release();
  });

  onLinux('a number that the system has given to another process since does not fool', () => {
    const self = thisProcess();
    expect(livesHere(self, self)).toBe(true);
    expect(livesHere({ ...self, started: '1' }, self)).toBe(false);
    expect(livesHere({ ...self, world: 'an earlier boot' }, self)).toBeUndefined();
    expect(livesHere({ ...self, host: 'elsewhere' }, self)).toBeUndefined();
  });

  test('without /proc the process number decides', () => {
    const self = { ...thisProcess(), world: null, started: null };
    expect(livesHere(self, self)).toBe(true);
    expect(livesHere({ ...self, pid: 2 ** 22 + 1 }, self)).toBe(false);
  });

  test('a holder elsewhere is alive when it gives signs of life', async () => {
    const directory = await temporaryDirectory();
    const lock = await RunLock.acquire(directory, { beatSeconds: 0.01, self: { ...thisProcess(), host: 'elsewhere' } });
    await expect(RunLock.acquire(directory, { staleSeconds: 5 })).rejects.toThrow('on elsewhere is working');
    await lock.release();
  });

  test('a holder elsewhere that gives none is waited for, then dead; if it wakes up, it sees that it lost the lock', async () => {
    const directory = await temporaryDirectory();
    const sleeper = await RunLock.acquire(directory, {
      beatSeconds: 1000,
      self: { ...thisProcess(), world: 'another boot' },
    });
    const log: string[] = [];
    const lock = await RunLock.acquire(directory, { staleSeconds: 0.2, log: (line) => log.push(line) });
    expect(log).toEqual([
      expect.stringContaining('watching up to 1 s for a sign of life'),
      expect.stringContaining('took over the lock'),
    ]);
    await expect(sleeper.requireHeld()).rejects.toThrow('the lock was lost to');
    await sleeper.release();
    await lock.requireHeld();
    expect(await holderOf(directory)).toMatchObject({ pid: process.pid });
    await lock.release();
  });

  test('a file that a crash left empty is taken over when it is old', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, LOCK_NAME), '');
    const lock = await RunLock.acquire(directory, { staleSeconds: 0.05 });
    await lock.requireHeld();
    await lock.release();
  });
});
