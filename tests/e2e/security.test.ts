import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Command, describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, type Outcome, outcomeOf, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;
const TOKEN = 'a-known-token-0123456789';

describeBuilt('dpfl server beyond loopback', () => {
  let directory: string;
  let expected: Outcome;
  const start = (args: string[], environment: NodeJS.ProcessEnv = {}) =>
    new Command(args, { cwd: directory, environment });

  beforeAll(async () => {
    directory = tinyDirectory();
    expect(await dpfl(['run', 'tiny.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
    expected = outcomeOf(join(directory, 'runs', 'tiny-001'));
    expect(await dpfl(['certs', '--host', 'localhost', '--host', '127.0.0.1'], { cwd: directory })).toMatchObject({
      status: 0,
    });
    writeFileSync(join(directory, 'token'), TOKEN);
  }, PATIENCE);
  afterAll(cleanUp);

  test('refuses plaintext with one line and exit code 2, and writes nothing', async () => {
    const { status, stderr } = await dpfl(['server', 'tiny.yaml', '--listen', '0.0.0.0:0', '--output', 'none'], {
      cwd: directory,
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^dpfl: --listen 0\.0\.0\.0:0: other machines .* --tls <dir>, .* --insecure\n$/);
    expect(readdirSync(directory)).not.toContain('none');
  });

  test(
    'trains with certificates and a token it makes; strangers are turned away; the token is gone with the run',
    async () => {
      const server = start([
        'server',
        'tiny.yaml',
        '--listen',
        '0.0.0.0:0',
        '--tls',
        'certs/server',
        '--output',
        'own',
      ]);
      const [, port, tokenFile] = await server.line(
        /listening on 0\.0\.0\.0:(\d+); .* --tls <worker certificates> --token-file (\S+)\n/,
      );
      expect(statSync(join(directory, tokenFile)).mode & 0o777).toBe(0o600);
      const worker = ['worker', '--server', `localhost:${port}`, '--tls', 'certs/worker'];

      const stranger = await start([...worker, '--token-file', 'token']).ended;
      expect(stranger).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/bears a wrong token; give it the run/),
      });
      expect(stranger.stderr).not.toContain('connected to');

      const secret = readFileSync(join(directory, tokenFile), 'utf8').trim();
      const workers = [start([...worker, '--token-file', tokenFile]), start(worker, { DPFL_TOKEN: secret })];
      const outputs = [await server.ended, ...(await Promise.all(workers.map(({ ended }) => ended)))];
      for (const { status } of outputs) expect(status).toBe(0);
      expect(outcomeOf(join(directory, 'own', 'tiny-001'))).toEqual(expected);
      expect(() => statSync(join(directory, tokenFile))).toThrow(/ENOENT/);
      expect(outputs.map(({ stdout, stderr }) => stdout + stderr).join()).not.toContain(secret);
    },
    PATIENCE,
  );

  test(
    'no secret appears in any output or file of the run',
    async () => {
      const server = start(
        ['server', 'tiny.yaml', '--listen', '0.0.0.0:0', '--tls', 'certs/server', '--json', '--output', 'given'],
        {
          DPFL_TOKEN: TOKEN,
        },
      );
      const [, port] = await server.line(/listening on 0\.0\.0\.0:(\d+);/);
      const worker = start([
        'worker',
        '--server',
        `127.0.0.1:${port}`,
        '--tls',
        'certs/worker',
        '--token-file',
        'token',
      ]);
      const outputs = await Promise.all([server.ended, worker.ended]);
      expect(outputs.map(({ status }) => status)).toEqual([0, 0]);
      const run = join(directory, 'given');
      const files = readdirSync(run, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      expect(files.length).toBeGreaterThan(5);
      const everything = [
        ...outputs.flatMap(({ stdout, stderr }) => [stdout, stderr]),
        ...files.map((file) => readFileSync(join(file.parentPath, file.name), 'latin1')),
      ].join('\n');
      const keys = ['server', 'worker'].map((side) => readFileSync(join(directory, 'certs', side, 'tls.key'), 'utf8'));
      for (const secret of [TOKEN, ...keys.map((pem) => pem.split('\n')[1])]) expect(everything).not.toContain(secret);
    },
    PATIENCE,
  );
});
