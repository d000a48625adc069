import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Command, describeBuilt, dpfl, endCommands } from '../support/command-line.ts';
import { listening } from './support/listening.ts';
import {
  cleanUp,
  fingerprints,
  type Outcome,
  outcomeOf,
  records,
  tinyDirectory,
  untilRound,
} from './support/tiny-run.ts';

const PATIENCE = 90_000;

describeBuilt('dpfl --resume', () => {
  let directory: string;
  let expected: Outcome;
  let report: string;

  beforeAll(async () => {
    directory = tinyDirectory();
    expect(await dpfl(['run', 'tiny.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
    expected = outcomeOf(join(directory, 'runs', 'tiny-001'));
    report = timeless(join(directory, 'runs', 'tiny-001'));
  }, PATIENCE);
  afterAll(cleanUp);

  const lives = (pid: string) => existsSync(`/proc/${pid}`);

  /** The report without what depends on the clock. */
  function timeless(run: string): string {
    const { timing: _timing, ...rest } = JSON.parse(readFileSync(join(run, 'report.json'), 'utf8'));
    delete rest.run.environment.started;
    return JSON.stringify(rest, null, 1);
  }

  test(
    'after Ctrl-C: the run stops with a checkpoint and exit code 130, and goes on as if it had not',
    async () => {
      const command = new Command(['run', 'tiny.yaml', '--output', 'interrupted'], { cwd: directory });
      await command.line(/^round 0\/3/m);
      command.kill('SIGINT');
      const { status, stdout, stderr } = await command.ended;
      const run = join('interrupted', 'tiny-001');
      expect(status).toBe(130);
      expect(stderr).toContain('stopping after this round');
      expect(stdout).toContain(`dpfl run --resume ${run}`);
      const done = records(join(directory, run)).length;
      expect(done).toBeLessThan(4);

      const resumed = await dpfl(['run', '--resume', run], { cwd: directory });
      expect(resumed.status).toBe(0);
      expect(resumed.stderr).not.toContain('than when the run began');
      expect(outcomeOf(join(directory, run))).toEqual(expected);
      expect(timeless(join(directory, run))).toBe(report);
    },
    PATIENCE,
  );

  test(
    'after Ctrl-C while no worker is connected: the round is given up, with model, report and the command that goes on',
    async () => {
      const alone = new Command(['server', 'tiny.yaml', '--listen', '127.0.0.1:0', '--output', 'alone'], {
        cwd: directory,
      });
      await alone.line(/^round 0\/3/m);
      alone.kill('SIGINT');
      const { status, stdout, stderr } = await alone.ended;
      const run = join('alone', 'tiny-001');
      expect(status).toBe(130);
      expect(stderr).toContain('no worker is connected: no round is waited for');
      expect(stderr).not.toContain('dpfl:');
      expect(stdout).toContain('stopped after 0 of 3 rounds');
      expect(stdout).toContain(`dpfl server --listen 127.0.0.1:0 --resume ${run}`);
      expect(existsSync(join(directory, run, 'model.onnx'))).toBe(true);
      expect((await dpfl(['run', '--resume', run], { cwd: directory })).status).toBe(0);
      expect(outcomeOf(join(directory, run))).toEqual(expected);
      expect(timeless(join(directory, run))).toBe(report);
    },
    PATIENCE,
  );

  test(
    'after SIGKILL of the server: rounds since the last checkpoint are computed again, and are the same',
    async () => {
      const args = ['tiny.yaml', '--output', 'crashed', '--set', 'federation.shardSize=64'];
      const { server, worker } = await listening(args, directory);
      const run = join(directory, 'crashed', 'tiny-001');
      worker('A');
      await untilRound(run, 1);
      server.kill('SIGKILL');
      expect(await server.ended).toMatchObject({ status: null });
      await endCommands();
      const files = Object.keys(fingerprints(run));
      expect(records(run).length).toBeLessThan(4);
      expect(files).not.toContain('model.onnx');

      const resumed = await dpfl(['run', '--resume', run]);
      expect(resumed.status).toBe(0);
      expect(outcomeOf(run)).toEqual(expected);
      expect(timeless(run)).toBe(report);
      expect(Object.keys(fingerprints(run))).toEqual(Object.keys(fingerprints(join(directory, 'runs', 'tiny-001'))));
    },
    PATIENCE,
  );

  (process.platform === 'linux' ? test : test.skip)(
    'the workers of a run that was killed end by themselves',
    async () => {
      const command = new Command(['run', 'tiny.yaml', '--output', 'orphaned'], { cwd: directory });
      await command.line(/^round 0\/3/m);
      const children = readFileSync(`/proc/${command.pid}/task/${command.pid}/children`, 'utf8').trim().split(' ');
      expect(children).toHaveLength(2);
      command.kill('SIGKILL');
      await command.ended;
      for (const deadline = Date.now() + 5000; Date.now() < deadline && children.some(lives); ) await sleep(20);
      expect(children.filter(lives)).toEqual([]);
    },
    PATIENCE,
  );

  test(
    'a second process is refused while one works on the run, and harms nothing',
    async () => {
      const { server, worker } = await listening(['tiny.yaml', '--output', 'busy'], directory);
      const run = join(directory, 'busy', 'tiny-001');
      await untilRound(run, 0);
      const { status, stderr } = await dpfl(['run', '--resume', run]);
      expect(status).toBe(2);
      expect(stderr).toMatch(/^dpfl: .*tiny-001: process \d+ on .* is working on this run; stop it first/);
      worker('A');
      expect(await server.ended).toMatchObject({ status: 0 });
      expect(outcomeOf(run)).toEqual(expected);
      expect(Object.keys(fingerprints(run))).toEqual(Object.keys(fingerprints(join(directory, 'runs', 'tiny-001'))));
    },
    PATIENCE,
  );

  test(
    'a finished run may be given more rounds',
    async () => {
      const longer = ['--set', 'federation.rounds=4'];
      await dpfl(['run', 'tiny.yaml', '--output', 'longer', ...longer], { cwd: directory });
      await dpfl(['run', 'tiny.yaml', '--output', 'prolonged'], { cwd: directory });
      const run = join(directory, 'prolonged', 'tiny-001');
      const manifest = join(run, 'manifest.json');
      writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/"node": "[^"]*"/, '"node": "v20.0.0"'));
      const resumed = await dpfl(['run', '--resume', run, ...longer]);
      expect(resumed).toMatchObject({ status: 0 });
      expect(resumed.stderr).toContain(
        `another version of Node.js (${process.version}) than when the run began (v20.0.0)`,
      );
      expect(outcomeOf(run).model).toBe(outcomeOf(join(directory, 'longer', 'tiny-001')).model);
    },
    PATIENCE,
  );
});
