import { expect, test } from '@jest/globals';
import { runManifest } from '../../cli/manifest.ts';

test('a manifest holds the facts, the time, the versions and the machine, all as single values', () => {
  const facts = {
    seed: 0,
    population: 10,
    dataset: 'Digits.',
    model: 'cnn',
    parameters: 5,
    frozenParameters: 2,
    dataFingerprint: 'f',
    layout: 'ab',
    modelFingerprint: 'cd',
  };
  const manifest = runManifest(facts, new Date('2026-01-02T03:04:05Z'));
  expect(manifest).toMatchObject({ ...facts, started: '2026-01-02T03:04:05.000Z', node: process.version });
  expect(manifest.dpfl).toMatch(/^\d+\.\d+\.\d+/);
  expect(manifest.onnxruntime).toMatch(/^\d+\.\d+\.\d+/);
  for (const value of Object.values(manifest)) expect(['string', 'number']).toContain(typeof value);
});
