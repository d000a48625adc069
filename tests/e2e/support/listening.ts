import { Command } from '../../support/command-line.ts';

/** `dpfl server` on a free port; resolves when it listens. */
export async function listening(args: readonly string[], cwd: string) {
  const server = new Command(['server', ...args, '--listen', '127.0.0.1:0'], { cwd });
  const [, address] = await server.line(/listening on (127\.0\.0\.1:\d+);/);
  const worker = (name: string, ...more: string[]) =>
    new Command(['worker', '--server', address, '--name', name, ...more], { cwd });
  return { server, worker, address };
}
