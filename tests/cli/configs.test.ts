import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../cli/load-config.ts';
import { runConfig } from '../../server/run-config.ts';

const folder = fileURLToPath(new URL('../../configs/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

describe('the configurations that come with dpfl', () => {
  test.each(files)('%s is valid and named after its file', (file) => {
    expect(`${loadConfig(runConfig, folder + file).name}.yaml`).toBe(file);
  });

  test('cifar10-cnn.yaml: the commented private variant is valid too, with the noise of the benchmark', () => {
    const variant = [
      'privacy={mechanism: gaussian, clipping: {mode: global, bound: 0.4}, noise: {multiplier: 0.03165}, delta: 1.0e-6}',
    ];
    const { privacy } = loadConfig(runConfig, `${folder}cifar10-cnn.yaml`, variant);
    expect((privacy.noise?.multiplier ?? 0) * privacy.clipping.bound).toBeCloseTo(0.01266, 12);
  });

  test.each([
    ['federation.expectedCohrt=5', "--set federation.expectedCohrt: unknown key; did you mean 'expectedCohort'?"],
    ['federation.expectedCohort=2000000', '--set federation.expectedCohort: an expected cohort of 2000000 exceeds'],
    ['local.epochs=2', /quickstart\.yaml:\d+: local: give exactly one of/],
    ['privacy.noise.sigmaDp=1', /quickstart\.yaml:\d+: privacy\.noise: give exactly one of/],
    ['privacy.delta=2', '--set privacy.delta: expected a number below 1, got 2'],
    ['optimizer.momentum=0.9', /optimizer\.momentum: unknown key/],
    ['model.kind=rnn', "expected 'transformer-ctc', 'cnn', 'mlp', 'resnet' or 'onnx', got the text 'rnn'"],
    ['federation.rounds=ten', "--set federation.rounds: expected a whole number, got the text 'ten'"],
    ['data.population=', /./],
  ])('quickstart.yaml with %s', (override, message) => {
    const load = () => loadConfig(runConfig, `${folder}quickstart.yaml`, [override]);
    if (override === 'data.population=') expect(load().data.population).toBe(1_000_000);
    else expect(load).toThrow(message);
  });
});
