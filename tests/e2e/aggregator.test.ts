import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Command, describeBuilt, dpfl } from '../support/command-line.ts';
import { listening } from './support/listening.ts';
import { cleanUp, type Outcome, outcomeOf, tinyDirectory, untilRound } from './support/tiny-run.ts';

const PATIENCE = 90_000;

describeBuilt('dpfl aggregator', () => {
  let directory: string;
  let expected: Outcome;

  beforeAll(async () => {
    directory = tinyDirectory();
    expect(await dpfl(['run', 'tiny.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
    expected = outcomeOf(join(directory, 'runs', 'tiny-001'));
  }, PATIENCE);
  afterAll(cleanUp);

  /** An aggregator below `server`, and how to start workers below it. */
  async function aggregator(server: string, name: string) {
    const args = ['aggregator', '--server', server, '--listen', '127.0.0.1:0', '--shard-size', '1', '--name', name];
    const node = new Command(args, { cwd: directory });
    const [, address] = await node.line(/listening on (127\.0\.0\.1:\d+);/);
    const worker = (worker: string) =>
      new Command(['worker', '--server', address, '--name', worker], { cwd: directory });
    return { node, address, worker };
  }

  test(
    'a tree of aggregators, with a worker killed in it, gives the model of dpfl run, bit for bit',
    async () => {
      const { server } = await listening(['tiny.yaml', '--output', 'tree'], directory);
      const [, root] = await server.line(/listening on (127\.0\.0\.1:\d+);/);
      const top = await aggregator(root, 'top');
      const inner = await aggregator(top.address, 'inner');
      const victim = inner.worker('victim');
      await untilRound(join(directory, 'tree', 'tiny-001'), 1);
      victim.kill('SIGKILL');
      await inner.node.line(/worker 'victim' left/);
      const others = [inner.worker('heir'), top.worker('beside')];
      const ended = [server, top.node, inner.node, ...others].map(({ ended }) => ended);
      for (const { status } of await Promise.all(ended)) expect(status).toBe(0);
      expect(outcomeOf(join(directory, 'tree', 'tiny-001'))).toEqual(expected);
    },
    PATIENCE,
  );

  test(
    'an aggregator killed in mid-round costs nothing but time',
    async () => {
      const { server, worker } = await listening(['tiny.yaml', '--output', 'lost'], directory);
      const [, root] = await server.line(/listening on (127\.0\.0\.1:\d+);/);
      const victim = await aggregator(root, 'victim');
      victim.worker('orphan');
      await untilRound(join(directory, 'lost', 'tiny-001'), 1);
      victim.node.kill('SIGKILL');
      worker('heir');
      expect(await server.ended).toMatchObject({ status: 0 });
      expect(outcomeOf(join(directory, 'lost', 'tiny-001'))).toEqual(expected);
    },
    PATIENCE,
  );

  test('refuses to serve beyond loopback in plaintext', async () => {
    const args = ['aggregator', '--server', '127.0.0.1:1', '--listen', '0.0.0.0:0'];
    const { status, stderr } = await dpfl(args, { cwd: directory });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^dpfl: --listen 0\.0\.0\.0:0: .* give --serve-tls <dir>/);
  });
});
