import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { type GradientCase, parseGradientCase } from '../../cli/gradient-case.ts';
import { type ModelGradients, modelGradients } from '../../cli/model-gradients.ts';
import { readModelFile } from '../../graph/onnx/read.ts';

/** Models exported by PyTorch, with what PyTorch computes for them: scripts/fixtures/export_models.py. */
const folder = fileURLToPath(new URL('../fixtures/models/', import.meta.url));

function readFixture(file: string): { given: GradientCase; expected: ModelGradients } {
  const { case: given, ...expected } = JSON.parse(readFileSync(folder + file.replace('.onnx', '.json'), 'utf8'));
  return { given: parseGradientCase(given, file), expected };
}

/** The largest difference relative to the largest expected entry. */
function relativeError(found: readonly number[], expected: readonly number[]): number {
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - found[i]!))) / (largest || 1);
}

const files = readdirSync(folder).filter((file) => file.endsWith('.onnx'));

describe.each(files)('%s', (file) => {
  test.each(['fixed', 'symbolic'] as const)(
    'loss and every gradient are those of PyTorch (%s sizes)',
    async (sizes) => {
      const { given, expected } = readFixture(file);
      const found = await modelGradients(readModelFile(folder + file), given, file, sizes);
      expect(relativeError([found.loss], [expected.loss])).toBeLessThan(1e-5);
      expect(Object.keys(found.gradients).sort()).toEqual(Object.keys(expected.gradients).sort());
      for (const [name, { dims, data }] of Object.entries(expected.gradients)) {
        const gradient = found.gradients[name]!;
        expect({ name, dims: gradient.dims }).toEqual({ name, dims });
        // A gradient that is 0 in exact arithmetic (a key's bias in attention) has no scale of its own.
        if (Math.max(...data.map(Math.abs)) < 1e-9) continue;
        expect({ name, error: relativeError(gradient.data, data) }).toEqual({ name, error: expect.any(Number) });
        expect(relativeError(gradient.data, data)).toBeLessThan(1e-4);
      }
    },
  );
});
