import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { Command, describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, tinyDirectory, untilRound } from './support/tiny-run.ts';

const PATIENCE = 90_000;
const TOKEN = 'a-known-token-0123456789';

/** Name and labels of each sample → its value. */
async function scrape(address: string): Promise<Map<string, number>> {
  const response = await fetch(`http://${address}/metrics`);
  expect(response.status).toBe(200);
  const samples = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

describeBuilt('metrics and logs of server, worker and aggregator', () => {
  afterAll(cleanUp);

  test(
    'tell what happened, each log line is JSON, and the token is nowhere',
    async () => {
      const cwd = tinyDirectory();
      const environment = { DPFL_TOKEN: TOKEN };
      const telemetry = ['--metrics', '127.0.0.1:0', '--log-format', 'json', '--log-level', 'debug'];
      const server = new Command(['server', 'tiny.yaml', '--listen', '127.0.0.1:0', ...telemetry], {
        cwd,
        environment,
      });
      const [, figures] = await server.line(/metrics on http:\/\/(127\.0\.0\.1:\d+)\/metrics/);
      const [, address] = await server.line(/listening on (127\.0\.0\.1:\d+);/);
      expect((await fetch(`http://${figures}/`)).status).toBe(404);

      const worker = new Command(['worker', '--server', address, ...telemetry], { cwd, environment });
      const [, own] = await worker.line(/metrics on http:\/\/(127\.0\.0\.1:\d+)\/metrics/);
      await server.line(/"round":1,"cohort"/);
      worker.kill('SIGSTOP');
      const atServer = await scrape(figures);
      worker.kill('SIGCONT');
      expect(atServer.get('dpfl_rounds_planned')).toBe(3);
      expect(atServer.get('dpfl_round')).toBeGreaterThanOrEqual(1);
      expect(atServer.get('dpfl_workers_connected')).toBe(1);
      expect(atServer.get('dpfl_clients_trained_total')).toBeGreaterThan(0);
      expect(atServer.get('dpfl_epsilon')).toBeGreaterThan(0);
      const returned = atServer.get('dpfl_shards_returned_total') ?? 0;
      expect(returned).toBeGreaterThan(0);
      expect(atServer.get('dpfl_shards_leased_total')).toBeGreaterThanOrEqual(returned);
      expect(atServer.get('dpfl_received_bytes_total')).toBeGreaterThan(0);
      expect(atServer.get('dpfl_sent_bytes_total')).toBeGreaterThan(0);
      expect(atServer.get('dpfl_phase_seconds_count{phase="training"}')).toBe(atServer.get('dpfl_rounds_total'));
      const atWorker = await scrape(own).catch(() => undefined);
      expect(atWorker?.get('dpfl_worker_shards_total') ?? 1).toBeGreaterThan(0);

      const outputs = await Promise.all([server.ended, worker.ended]);
      expect(outputs.map(({ status }) => status)).toEqual([0, 0]);
      const entries = outputs.flatMap(({ stderr }) =>
        stderr
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      );
      expect(entries.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['round finished', 'shard summed']));
      for (const { level, time } of entries) {
        expect(['debug', 'info', 'warn']).toContain(level);
        expect(Number.isNaN(Date.parse(time))).toBe(false);
      }
      const told = [...outputs.map(({ stdout, stderr }) => stdout + stderr), ...atServer.keys()].join('\n');
      expect(told).not.toContain(TOKEN);
    },
    PATIENCE,
  );

  test(
    'an aggregator tells what passes above and below it',
    async () => {
      const cwd = tinyDirectory();
      const environment = { DPFL_TOKEN: TOKEN };
      const start = (...args: string[]) => new Command(args, { cwd, environment });
      const server = start('server', 'tiny.yaml', '--listen', '127.0.0.1:0', '--set', 'federation.rounds=12');
      const [, address] = await server.line(/listening on (127\.0\.0\.1:\d+);/);
      const telemetry = ['--metrics', '127.0.0.1:0', '--log-format', 'json'];
      const node = start('aggregator', '--server', address, '--listen', '127.0.0.1:0', ...telemetry);
      const [, figures] = await node.line(/metrics on http:\/\/(127\.0\.0\.1:\d+)\/metrics/);
      const [, below] = await node.line(/listening on (127\.0\.0\.1:\d+);/);
      const worker = start('worker', '--server', below);
      await untilRound(join(cwd, 'runs', 'tiny-001'), 1);
      worker.kill('SIGSTOP');
      const samples = await scrape(figures);
      worker.kill('SIGCONT');
      expect(samples.get('dpfl_worker_connected')).toBe(1);
      expect(samples.get('dpfl_workers_connected')).toBe(1);
      const sentUp = samples.get('dpfl_worker_shards_total') ?? 0;
      expect(sentUp).toBeGreaterThan(0);
      expect(samples.get('dpfl_shards_returned_total')).toBeGreaterThanOrEqual(sentUp);
      expect(samples.get('dpfl_worker_seconds_total{phase="training"}')).toBeGreaterThan(0);
      const outputs = await Promise.all([server.ended, node.ended, worker.ended]);
      expect(outputs.map(({ status }) => status)).toEqual([0, 0, 0]);
      for (const line of outputs[1]!.stderr.trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
    },
    PATIENCE,
  );

  test('an error is one JSON entry too, with the exit code it always had', async () => {
    const args = ['worker', '--server', '127.0.0.1:1', '--metrics', 'nowhere', '--log-format', 'json'];
    const { status, stderr } = await dpfl(args);
    expect(status).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({
      level: 'error',
      msg: expect.stringMatching(/--metrics 'nowhere': give/),
    });
  });

  test('--log-level warn leaves out what is not a warning', async () => {
    const cwd = tinyDirectory();
    const quiet = ['--log-level', 'warn'];
    const server = new Command(
      ['server', 'tiny.yaml', '--listen', '127.0.0.1:0', '--health', '127.0.0.1:0', ...quiet],
      {
        cwd,
      },
    );
    await server.line(/no worker is connected/);
    server.kill('SIGKILL');
    expect((await server.ended).stderr).toMatch(/^no worker is connected; .*\n$/);
  });
});
