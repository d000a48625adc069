import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { DpflError } from '../../../errors.ts';
import { decodeModel } from '../../../graph/onnx/read.ts';
import { fuzzCases, fuzzSeed, mutator } from '../../support/fuzz.ts';

const folder = fileURLToPath(new URL('../../fixtures/models', import.meta.url));
const cases = fuzzCases(4000);

test(`${cases} damaged model files (DPFL_FUZZ_SEED=${fuzzSeed}) are read, or refused in one typed line`, () => {
  const corpus = readdirSync(folder)
    .filter((name) => /^(mlp|pairs|autoencoder).*\.onnx$/.test(name))
    .map((name) => new Uint8Array(readFileSync(`${folder}/${name}`)));
  const mutate = mutator('models');
  let refused = 0;
  for (let done = 0; done < cases; done++) {
    const bytes = mutate(corpus);
    try {
      decodeModel(bytes, 'damaged.onnx', folder);
    } catch (error) {
      if (!(error instanceof DpflError)) throw new Error(`case ${done}: ${(error as Error).stack}`);
      expect(error.message).toMatch(/^damaged\.onnx/);
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(cases / 20);
});
