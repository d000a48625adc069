import { describe, expect, test } from '@jest/globals';
import { type AnnouncedOptions, announce } from '../../cli/announce.ts';
import { InProcessServer } from '../../server/in-process.ts';
import type { AggregationServer } from '../../server/service.ts';
import { smallConfig, smallRun } from './small-run.ts';

const run = await smallRun();
const inProcess = new InProcessServer({} as ConstructorParameters<typeof InProcessServer>[0]);
const listening = (address: string, healthAddress?: string) =>
  // Of a server nothing but its addresses is asked for.
  ({ address, healthAddress }) as unknown as AggregationServer;

function lines(
  server: AggregationServer | InProcessServer,
  options: Partial<AnnouncedOptions> = {},
  {
    asked = run.config,
    prepared = run,
    tokenFile,
  }: { asked?: typeof run.config; prepared?: typeof run; tokenFile?: string } = {},
): string[] {
  const said: string[] = [];
  const progress = { note: (line: string) => void said.push(line) };
  announce(asked, { config: prepared.config, progress, ...options }, prepared, server, 'runs/small-001', tokenFile);
  return said;
}

describe('announce', () => {
  test('model, population, memory, and that nobody else trains', () => {
    expect(lines(inProcess, { listen: '0.0.0.0:1' })).toEqual([
      `runs/small-001: mlp, ${run.layout.size} parameters in ${run.layout.layers.length} layers`,
      'population 1,000, expected cohort 10, 2 rounds',
      expect.stringMatching(/^memory of a worker for one client/),
      'no workers: clients train in this process, one after another',
    ]);
  });

  test('noise that was calibrated, and warnings', () => {
    const asked = smallConfig({
      privacy: {
        clipping: { mode: 'global', bound: 1 },
        noise: { calibrate: true },
        budget: { epsilon: 3, delta: 1e-6 },
      },
    });
    const said = lines(inProcess, {}, { asked, prepared: { ...run, warnings: ['delta is large'] } });
    expect(said).toContain('noise multiplier 1: the least that keeps all rounds within privacy.budget');
    expect(said).toContain('warning: delta is large');
    expect(lines(inProcess).join()).not.toMatch(/noise multiplier|warning/);
  });

  const start = 'start workers with: dpfl worker --server';
  test.each<[string, AggregationServer, Partial<AnnouncedOptions>, string | undefined, string[]]>([
    ['local workers: not how to start others', listening('127.0.0.1:7'), {}, undefined, []],
    [
      'loopback, with a port for probes',
      listening('127.0.0.1:7', '127.0.0.1:8'),
      { listen: '127.0.0.1:7' },
      undefined,
      ['health service for probes on 127.0.0.1:8', `listening on 127.0.0.1:7; ${start} 127.0.0.1:7`],
    ],
    [
      'plaintext beyond loopback, with a token of the operator',
      listening('0.0.0.0:7'),
      { listen: '0.0.0.0:7', security: { token: 'secret' } },
      undefined,
      [`listening on 0.0.0.0:7; ${start} 0.0.0.0:7 --insecure --token-file <file>`],
    ],
    [
      'mutual TLS, with a new token in a file',
      listening('0.0.0.0:7'),
      { listen: '0.0.0.0:7', security: { token: 'secret', tokenIsNew: true, tls: {} as never } },
      'runs/small-001/token',
      [`listening on 0.0.0.0:7; ${start} 0.0.0.0:7 --tls <worker certificates> --token-file runs/small-001/token`],
    ],
  ])('%s', (_, server, options, tokenFile, expected) => {
    const said = lines(server, options, { tokenFile });
    expect(said.slice(3)).toEqual(expected);
    expect(said.join()).not.toContain('secret');
  });
});
