import { afterAll, expect, test } from '@jest/globals';
import { Command, describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 60_000;

describeBuilt('dpfl health', () => {
  afterAll(cleanUp);

  test(
    'asks a server with TLS and token on both its ports, and says so when it is gone',
    async () => {
      const cwd = tinyDirectory();
      expect(await dpfl(['certs', '--host', '127.0.0.1'], { cwd })).toMatchObject({ status: 0 });
      const listen = ['--listen', '127.0.0.1:0', '--tls', 'certs/server', '--health', '127.0.0.1:0'];
      const server = new Command(['server', 'tiny.yaml', ...listen], { cwd });
      const [, probes] = await server.line(/health service for probes on (127\.0\.0\.1:\d+)\n/);
      const [, workers] = await server.line(/listening on (127\.0\.0\.1:\d+);/);

      expect(await dpfl(['health', probes])).toMatchObject({ status: 0, stdout: 'SERVING\n' });
      const secure = ['health', workers, '--tls', 'certs/worker'];
      expect(await dpfl(secure, { cwd })).toMatchObject({ status: 0, stdout: 'SERVING\n' });
      const stranger = await dpfl(['health', workers, '--timeout', '1'], { cwd });
      expect(stranger).toMatchObject({ status: 2, stdout: '' });
      expect(stranger.stderr).toMatch(/^dpfl: .*: no answer from a health service/);

      server.kill('SIGKILL');
      await server.ended;
      expect(await dpfl(['health', probes, '--timeout', '1'])).toMatchObject({ status: 2, stdout: '' });
    },
    PATIENCE,
  );
});
