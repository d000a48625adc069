import { describe, expect, test } from '@jest/globals';
import { configSource } from '../../cli/commands/run-options.ts';

describe('which configuration a run reads', () => {
  test('a file, changed by --set, and --output last', () => {
    expect(configSource('a.yaml', { set: ['seed=2'], output: 'my: runs' })).toEqual({
      file: 'a.yaml',
      overrides: ['seed=2', 'output="my: runs"'],
    });
  });

  test('a resumed run brings its own', () => {
    expect(configSource(undefined, { set: ['federation.workers=4'], resume: 'runs/a-001' })).toEqual({
      file: 'runs/a-001/config.yaml',
      overrides: ['federation.workers=4'],
    });
  });

  test('neither or both are refused', () => {
    expect(() => configSource(undefined, { set: [] })).toThrow(/no configuration given/);
    expect(() => configSource('a.yaml', { set: [], resume: 'runs/a-001' })).toThrow(/leave out 'a.yaml'/);
    expect(() => configSource(undefined, { set: [], resume: 'runs/a-001', output: 'x' })).toThrow(/leave out --output/);
  });

  test('a resumed run cannot change what its results or its ledger depend on', () => {
    const noise = { set: ['privacy.noise.multiplier=0.1'], resume: 'runs/a-001' };
    expect(() => configSource(undefined, noise)).toThrow(/^--set privacy\.noise\.multiplier: cannot change/);
  });
});
