import { describe, expect, test } from '@jest/globals';
import { configHash } from '../../server/config-hash.ts';
import { parseRunConfig } from '../../server/run-config.ts';

function raw(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'quickstart',
    model: { kind: 'transformer-ctc' },
    data: { kind: 'synthetic-speech', population: 1000 },
    local: { steps: 4, batchSize: 4, learningRate: 0.2 },
    federation: { rounds: 40, expectedCohort: 80 },
    optimizer: { kind: 'lamb', learningRate: 0.01 },
    privacy: { clipping: { mode: 'dim', bound: 0.1 }, noise: { multiplier: 0.5 } },
    ...changes,
  };
}

function parse(changes: Record<string, unknown> = {}) {
  return parseRunConfig(raw(changes), 'run.yaml');
}

describe('parseRunConfig', () => {
  test('fills in defaults', () => {
    expect(parse()).toMatchObject({
      seed: 1,
      local: { maxGradientNorm: 1 },
      federation: { workers: 2 },
      optimizer: { beta1: 0.9, schedule: { kind: 'constant' } },
      evaluation: { every: 5, batchSize: 32 },
      checkpoint: { every: 10 },
      output: 'runs',
    });
    expect(parse().seedModel).toBeUndefined();
  });

  test('a seed model’s optimizer defaults to LARS at 0.5', () => {
    expect(parse({ seedModel: { steps: 3 } }).seedModel).toMatchObject({
      maxGradientNorm: 1,
      optimizer: { kind: 'lars', learningRate: 0.5, trustCoefficient: 0.001 },
    });
  });

  test('what was resolved resolves to itself', () => {
    const config = parse({ seedModel: { steps: 3 } });
    expect(parseRunConfig(JSON.parse(JSON.stringify(config)), 'config.yaml')).toEqual(config);
  });

  test('seed 0 and seeds in words are seeds', () => {
    expect(parse({ seed: 0 }).seed).toBe(0);
    expect(parse({ seed: 'spring' }).seed).toBe('spring');
    expect(() => parse({ seed: 1.5 })).toThrow('run.yaml: seed');
  });

  test.each([
    [{ local: { batchSize: 4, learningRate: 0.2 } }, 'local: give exactly one of `steps` and `epochs`'],
    [{ local: { steps: 1, epochs: 1, batchSize: 4, learningRate: 0.2 } }, 'local: give exactly one of'],
    [{ federation: { rounds: 40, expectedCohort: 1001 } }, 'federation.expectedCohort: an expected cohort of 1001'],
    [{ federation: { rounds: 40, expectedCohort: 0 } }, 'federation.expectedCohort'],
    [{ optimizer: { kind: 'sgd', learningRate: 1, beta1: 0.9 } }, 'optimizer: Unrecognized key'],
    [{ checkpoints: { every: 1 } }, 'Unrecognized key'],
    [{ name: '../escape' }, 'name: use letters'],
  ])('%p is refused with the key named', (changes, message) => {
    expect(() => parse(changes)).toThrow(`run.yaml: ${message}`);
  });

  test('a deadline that follows from a user’s number of examples is refused under local noise', () => {
    const simulation = { compute: { secondsPerStep: 1 }, deadlineSeconds: 10 };
    const privacy = { ...(raw().privacy as object), noisePlacement: 'local' };
    const local = { epochs: 1, batchSize: 4, learningRate: 0.2 };
    expect(() => parse({ simulation, privacy, local })).toThrow(/simulation\.deadlineSeconds: with local\.epochs/);
    expect(parse({ simulation, privacy }).simulation).toMatchObject({ overSelection: 1 });
    expect(parse({ simulation, local }).simulation?.deadlineSeconds).toBe(10);
  });

  test('further mistakes are counted', () => {
    expect(() => parse({ federation: {}, local: {} })).toThrow(/\(and \d+ more\)/);
  });
});

describe('configHash', () => {
  test('ignores what does not change the run’s course', () => {
    const hash = configHash(parse());
    expect(configHash(parse({ name: 'other', output: 'elsewhere', evaluation: { every: 1 } }))).toBe(hash);
    expect(configHash(parse({ federation: { rounds: 99, expectedCohort: 80, workers: 7 } }))).toBe(hash);
    expect(configHash(parse({ privacy: { noise: { multiplier: 0.5 }, clipping: { bound: 0.1, mode: 'dim' } } }))).toBe(
      hash,
    );
  });

  test('ignores the form in which adapters are written, and nothing else of them', () => {
    const hash = (lora: object) => configHash(parse({ train: { lora } }));
    expect(hash({ rank: 2, write: 'adapters' })).toBe(hash({ rank: 2 }));
    expect(hash({ rank: 3 })).not.toBe(hash({ rank: 2 }));
    expect(configHash(parse({ train: { exclude: ['a'] } }))).not.toBe(configHash(parse()));
  });

  test('changes with what does', () => {
    const hash = configHash(parse());
    const changes = [
      { seed: 2 },
      { local: { steps: 5, batchSize: 4, learningRate: 0.2 } },
      { federation: { rounds: 40, expectedCohort: 81 } },
      { optimizer: { kind: 'lamb', learningRate: 0.02 } },
      { privacy: { clipping: { mode: 'dim', bound: 0.2 }, noise: { multiplier: 0.5 } } },
    ];
    for (const change of changes) expect(configHash(parse(change))).not.toBe(hash);
  });
});
