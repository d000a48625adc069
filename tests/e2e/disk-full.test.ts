import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { Command, describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, outcomeOf, records, temporaryDirectory, tinyDirectory, untilRound } from './support/tiny-run.ts';

const small = join(temporaryDirectory(), 'small');
mkdirSync(small);
/** Needs the right to mount; without it this is left to the unit tests on /dev/full. */
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]).status === 0;

describeBuilt('dpfl run on a disk that fills up', () => {
  afterAll(async () => {
    if (mounted) spawnSync('umount', ['-l', small]);
    await cleanUp();
  });

  (mounted ? test : test.skip)(
    'ends with one line that says so, loses nothing, and goes on when there is space again',
    async () => {
      const directory = tinyDirectory({
        federation: { rounds: 12, expectedCohort: 8, workers: 0 },
        checkpoint: { every: 1 },
      });
      await dpfl(['run', 'tiny.yaml'], { cwd: directory });
      const command = new Command(['run', 'tiny.yaml', '--output', small], { cwd: directory });
      const run = join(small, 'tiny-001');
      await untilRound(run, 1);
      fill(join(small, 'filler'));
      const { status, stderr } = await command.ended;
      expect(status).toBe(2);
      expect(stderr).toMatch(/^dpfl: .*: cannot be written, the disk is full; free some space$/m);
      expect(stderr).toContain(`dpfl run --resume ${run}`);
      expect(records(run).length).toBeLessThan(13);
      rmSync(join(small, 'filler'));
      expect(await dpfl(['run', '--resume', run])).toMatchObject({ status: 0 });
      expect(outcomeOf(run)).toEqual(outcomeOf(join(directory, 'runs', 'tiny-001')));
    },
    90_000,
  );
});

function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  } finally {
    closeSync(file);
  }
}
