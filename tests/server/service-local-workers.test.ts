import { describe, expect, test } from '@jest/globals';
import { LocalWorkers, type LocalWorkersOptions } from '../../server/local-workers.ts';

/** A worker program in one line; its arguments are `--server host:port --name local-N`. */
function program(script: string): string[] {
  return [process.execPath, '-e', `const [, server, , name] = process.argv.slice(1); ${script}`, '--'];
}

function start(script: string, options: Partial<LocalWorkersOptions> = {}) {
  const lines: string[] = [];
  let workers: LocalWorkers | undefined;
  const failed = new Promise<Error>((resolve) => {
    workers = LocalWorkers.start({
      count: 2,
      server: '0.0.0.0:7000',
      command: program(script),
      restartSeconds: 0.01,
      onAllFailed: resolve,
      log: (line) => lines.push(line),
      ...options,
    });
  });
  return { workers: workers!, failed, lines };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('LocalWorkers', () => {
  test('start as many as asked, with an address they can reach, and are ended', async () => {
    const { workers, lines } = start('setTimeout(() => process.exit(0), 60000)');
    expect(workers.running()).toBe(2);
    await workers.stop(0.05);
    expect(workers.running()).toBe(0);
    expect(lines).toEqual([]);
  });

  test('that ignore SIGTERM are killed', async () => {
    const { workers, lines } = start("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);", {
      count: 1,
      maxRestarts: 0,
    });
    void lines;
    await workers.stop(0.1);
    expect(workers.running()).toBe(0);
  });

  test('that crash are started again, a few times; then the last words are told', async () => {
    const { workers, failed, lines } = start(
      "process.stderr.write(name + ' cannot reach ' + server); process.exitCode = 3",
      { maxRestarts: 1 },
    );
    const error = await failed;
    expect(error.message).toMatch(
      /^all 2 local workers failed 2 times; the last exited with code 3: local-[12] cannot reach 127\.0\.0\.1:7000$/,
    );
    expect(lines).toHaveLength(4);
    expect(workers.running()).toBe(0);
    await workers.stop();
  });

  test('a program that does not exist is told', async () => {
    const { failed, workers } = start('', { command: ['/nowhere/to/be/found'], maxRestarts: 0, count: 1 });
    expect((await failed).message).toMatch(/could not be started: .*ENOENT/);
    await workers.stop();
  });

  test('a worker that ends well is not started again', async () => {
    const { workers, lines } = start('process.exitCode = 0', { count: 1 });
    await until(() => workers.running() === 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(workers.running()).toBe(0);
    expect(lines).toEqual([]);
    await workers.stop();
  });

  test('only one of two failing is no failure of all', async () => {
    let all = false;
    const { workers, lines } = start("if (name === 'local-1') process.exit(1); setTimeout(() => {}, 60000)", {
      maxRestarts: 0,
      onAllFailed: () => {
        all = true;
      },
    });
    await until(() => lines.length === 1);
    expect(all).toBe(false);
    expect(workers.running()).toBe(1);
    await workers.stop(0.05);
  });
});
