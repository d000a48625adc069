import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Command, describeBuilt, dpfl } from '../support/command-line.ts';
import { listening } from './support/listening.ts';
import { cleanUp, type Outcome, outcomeOf, records, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;
const BFLOAT16 = ['--set', 'federation.transport=bfloat16'];

describeBuilt('federation.transport: bfloat16', () => {
  let directory: string;
  let expected: Outcome;

  beforeAll(async () => {
    directory = tinyDirectory();
    expect(await dpfl(['run', 'tiny.yaml', ...BFLOAT16], { cwd: directory })).toMatchObject({ status: 0 });
    expected = outcomeOf(join(directory, 'runs', 'tiny-001'));
  }, PATIENCE);
  afterAll(cleanUp);

  test.each(['0', '1'])(
    'gives the bits of two workers with federation.workers: %s too',
    async (workers) => {
      const sets = [...BFLOAT16, '--set', `federation.workers=${workers}`, '--output', `on-${workers}`];
      expect(await dpfl(['run', 'tiny.yaml', ...sets], { cwd: directory })).toMatchObject({ status: 0 });
      expect(outcomeOf(join(directory, `on-${workers}`, 'tiny-001'))).toEqual(expected);
    },
    PATIENCE,
  );

  test(
    'and so it does below an aggregator',
    async () => {
      const { server } = await listening(['tiny.yaml', ...BFLOAT16, '--output', 'tree'], directory);
      const [, root] = await server.line(/listening on (127\.0\.0\.1:\d+);/);
      const above = ['aggregator', '--server', root, '--listen', '127.0.0.1:0', '--shard-size', '1'];
      const node = new Command(above, { cwd: directory });
      const [, address] = await node.line(/listening on (127\.0\.0\.1:\d+);/);
      const worker = new Command(['worker', '--server', address], { cwd: directory });
      for (const { ended } of [server, node, worker]) expect(await ended).toMatchObject({ status: 0 });
      expect(outcomeOf(join(directory, 'tree', 'tiny-001'))).toEqual(expected);
    },
    PATIENCE,
  );

  test(
    'a run that goes on from its checkpoint stays on those bits, and dpfl verify repeats them',
    async () => {
      const short = [...BFLOAT16, '--set', 'federation.rounds=2', '--output', 'short'];
      expect(await dpfl(['run', 'tiny.yaml', ...short], { cwd: directory })).toMatchObject({ status: 0 });
      const run = join(directory, 'short', 'tiny-001');
      const other = join(directory, 'other');
      cpSync(run, other, { recursive: true });
      const longer = ['--set', 'federation.rounds=3'];
      expect(await dpfl(['run', '--resume', run, ...longer], { cwd: directory })).toMatchObject({ status: 0 });
      const hashes = (path: string) => records(path).map((record) => Object(record).parametersSha256);
      expect(hashes(run)).toEqual(hashes(join(directory, 'runs', 'tiny-001')));
      const { status, stdout } = await dpfl(['verify', run]);
      expect(stdout).toMatch(/^ok +replay: round 3, .*bit for bit/m);
      expect(status).toBe(0);
      const mixed = ['run', '--resume', other, ...longer, '--set', 'federation.transport=float32'];
      expect(await dpfl(mixed, { cwd: directory })).toMatchObject({ status: 2 });
    },
    PATIENCE,
  );

  test(
    'the setting is one: float32 gives other parameters from round 1',
    async () => {
      const sets = ['--set', 'federation.workers=0', '--output', 'plain'];
      expect(await dpfl(['run', 'tiny.yaml', ...sets], { cwd: directory })).toMatchObject({ status: 0 });
      expect(outcomeOf(join(directory, 'plain', 'tiny-001')).model).not.toBe(expected.model);
    },
    PATIENCE,
  );
});
