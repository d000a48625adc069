import { describe, expect, test } from '@jest/globals';
import type { RoundSettings } from '../../client/round-settings.ts';
import { ConfigError, ModelError } from '../../errors.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { FaultCounts } from '../../server/faults.ts';
import { type AskedRound, roundWork } from '../../server/round-work.ts';
import { WireTally } from '../../server/wire-tally.ts';
import { layers, parameters, task } from '../support/wire.ts';

const service = { faults: new FaultCounts(), tally: new WireTally(), onUnserved: () => undefined };

function work(asked: Partial<AskedRound> = {}, options: object = {}) {
  const round = { round: 3, parameters: parameters(), shards: [[1], [2, 3]], onResult: () => undefined, ...asked };
  return roundWork(round, { runId: 'run-a', task, ...options }, new ParameterLayout(layers), service);
}

const local = (source: 'seeded' | 'cryptographic'): RoundSettings => ({
  clipping: { mode: 'global', bound: 1 },
  gridStep: 1,
  noise: { kind: 'gaussian', steps: 1, source, local: true },
});

describe('roundWork', () => {
  test('a round without settings changes nothing in the task, and may ask clients again', () => {
    expect(work()).toMatchObject({
      runId: 'run-a',
      round: 3,
      shards: [[1], [2, 3]],
      settingsJson: '',
      layers: 2,
      leaseTimeoutSeconds: 600,
      maxAttempts: 10,
      once: false,
      silent: false,
    });
  });

  test('parameters travel in the format of the task', () => {
    const bytes = (options: object) => work({}, options).parameters.reduce((sum, { data }) => sum + data.length, 0);
    expect(bytes({})).toBe(4 * 9);
    expect(bytes({ task: { ...task, transport: 'float16' } })).toBe(2 * 9);
  });

  test('under local noise clients tell nothing else, and are asked once where it cannot be drawn again', () => {
    expect(work({ settings: local('seeded') })).toMatchObject({ once: false, silent: true });
    const cryptographic = work({ settings: local('cryptographic') });
    expect(cryptographic).toMatchObject({ once: true, silent: true });
    expect(JSON.parse(cryptographic.settingsJson)).toEqual(local('cryptographic'));
  });

  test('parameters of another length, and shards that fit no lease, are refused', () => {
    const short = () => work({ parameters: new Float32Array(8) });
    expect(short).toThrow(ModelError);
    expect(short).toThrow('8 parameters were given for a layout of 9');
    const crowded = () => work({ shards: [Array.from({ length: 100_001 }, (_, index) => index)] });
    expect(crowded).toThrow(ConfigError);
    expect(crowded).toThrow('federation.shardSize: a shard of 100001 clients does not fit one lease; set it to 100000');
  });
});
