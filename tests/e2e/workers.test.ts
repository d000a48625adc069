import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { listening } from './support/listening.ts';
import { cleanUp, type Outcome, outcomeOf, records, tinyDirectory, untilRound } from './support/tiny-run.ts';

const PATIENCE = 90_000;

describeBuilt('dpfl server with dpfl worker', () => {
  let directory: string;
  let expected: Outcome;

  beforeAll(async () => {
    directory = tinyDirectory();
    expect(await dpfl(['run', 'tiny.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
    expected = outcomeOf(join(directory, 'runs', 'tiny-001'));
  }, PATIENCE);
  afterAll(cleanUp);

  test(
    'gives the model that dpfl run gives, bit for bit, and all exit 0',
    async () => {
      const { server, worker } = await listening(['tiny.yaml', '--output', 'by-hand'], directory);
      const workers = [worker('A'), worker('B')];
      expect(await server.ended).toMatchObject({ status: 0 });
      for (const { ended } of workers) {
        const { status, stderr } = await ended;
        expect(status).toBe(0);
        expect(stderr).toMatch(/^connected to .*\n.*; trained \d+ clients in \d+ shards\n$/);
      }
      expect(outcomeOf(join(directory, 'by-hand', 'tiny-001'))).toEqual(expected);
    },
    PATIENCE,
  );

  test(
    'a worker killed in mid-round is replaced without a trace in the result',
    async () => {
      // One shard per round and one worker: as soon as round 1 is recorded, the worker is at work on round 2.
      const args = ['tiny.yaml', '--output', 'killed', '--set', 'federation.shardSize=64'];
      const { server, worker } = await listening(args, directory);
      const run = join(directory, 'killed', 'tiny-001');
      const victim = worker('victim');
      await untilRound(run, 1);
      victim.kill('SIGKILL');
      expect(await victim.ended).toMatchObject({ status: null });
      await server.line(/worker 'victim' left/);
      const reached = records(run).length;
      expect(reached).toBeLessThan(4);
      await sleep(100);
      expect(records(run)).toHaveLength(reached);

      const heir = worker('heir');
      expect(await server.ended).toMatchObject({ status: 0 });
      expect(await heir.ended).toMatchObject({ status: 0 });
      expect(outcomeOf(run)).toEqual(expected);
    },
    PATIENCE,
  );

  test(
    'workers that join in the middle of a round take their part, without a trace in the result',
    async () => {
      const args = ['tiny.yaml', '--output', 'joined', '--set', 'federation.shardSize=1'];
      const { server, worker } = await listening(args, directory);
      const run = join(directory, 'joined', 'tiny-001');
      const first = worker('first');
      await untilRound(run, 1);
      // Frozen with a shard in hand, it keeps the round open until the others are there.
      first.kill('SIGSTOP');
      worker('second');
      worker('third');
      await server.line(/worker '(second|third)' joined; 2 connected/);
      await server.line(/worker '(second|third)' joined; 3 connected/);
      expect(records(run).length).toBeLessThan(4);
      first.kill('SIGCONT');
      expect(await server.ended).toMatchObject({ status: 0 });
      expect(outcomeOf(run)).toEqual(expected);
    },
    PATIENCE,
  );

  test(
    'Ctrl-C ends a server that has no worker to wait for, and tells how to go on',
    async () => {
      const { server } = await listening(['tiny.yaml', '--output', 'alone'], directory);
      const run = join('alone', 'tiny-001');
      await untilRound(join(directory, run), 0);
      server.kill('SIGINT');
      const { status, stdout } = await server.ended;
      expect(status).toBe(130);
      expect(stdout).toMatch(/continue +dpfl server --listen 127\.0\.0\.1:0 --resume alone\/tiny-001/);
    },
    PATIENCE,
  );

  test(
    'Ctrl-C ends a server whose last worker leaves in the round under way',
    async () => {
      const { server, worker } = await listening(['tiny.yaml', '--output', 'left'], directory);
      const run = join(directory, 'left', 'tiny-001');
      const last = worker('last');
      await untilRound(run, 1);
      // Frozen with a shard in hand, it keeps the round open until the server has heard of Ctrl-C.
      last.kill('SIGSTOP');
      server.kill('SIGINT');
      await server.line(/stopping after this round/);
      last.kill('SIGKILL');
      const { status, stdout, stderr } = await server.ended;
      expect(status).toBe(130);
      expect(stderr).toContain('no worker is connected: no round is waited for');
      expect(stdout).toMatch(/continue +dpfl server --listen 127\.0\.0\.1:0 --resume left\/tiny-001/);
    },
    PATIENCE,
  );

  test(
    'a worker that is stopped by Ctrl-C leaves in peace; its shards go to the other',
    async () => {
      const { server, worker } = await listening(['tiny.yaml', '--output', 'stopped'], directory);
      const run = join(directory, 'stopped', 'tiny-001');
      const leaver = worker('leaver');
      await untilRound(run, 1);
      leaver.kill('SIGINT');
      expect(await leaver.ended).toMatchObject({ status: 0 });
      worker('stayer');
      expect(await server.ended).toMatchObject({ status: 0 });
      expect(outcomeOf(run)).toEqual(expected);
    },
    PATIENCE,
  );
});
