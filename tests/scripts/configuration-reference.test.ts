import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { configurationReference } from '../../scripts/docs/configuration-reference.ts';
import { runConfig } from '../../server/run-config.ts';

const pace = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('steady') }),
  z.strictObject({ kind: z.literal('slowing'), factor: z.number().gt(0).max(1).describe('what is left each day') }),
]);
const schema = z.strictObject({
  name: z.string().default('walk').describe('name of the walk'),
  walk: z.strictObject({
    days: z.int().min(1).describe('Days on foot.'),
    rest: z.number().min(0).nullable().optional(),
    pace,
    shoes: z.enum(['boots', 'none']).default('boots'),
    tent: z.discriminatedUnion('size', [
      z.strictObject({ size: z.literal('small') }),
      z.strictObject({ size: z.literal('large'), poles: z.int().default(3).describe('Poles <2 m>') }),
    ]),
    risk: z.number().default(1e-6).describe('ρ, small'),
  }),
  swim: z.strictObject({ pace: pace.prefault({ kind: 'steady' }) }).optional(),
});

describe('the configuration reference', () => {
  const reference = configurationReference(schema);

  test.each([
    ['| `name` | text | `walk` | Name of the walk. |'],
    ['| `days` | integer ≥ 1 | **required** | Days on foot. |'],
    ['| `rest` | number ≥ 0 or null | – |  |'],
    ['| `shoes` | `boots` or `none` | `boots` |  |'],
    ['| `pace` | section [pace](#pace) | `{kind: steady}` |  |'],
    ['| `tent.size` | `small` or `large` | **required** |  |'],
    ['| `tent.poles` | integer | `3` | With `large`: poles &lt;2 m>. |'],
    ['| `risk` | number | `1e-6` | ρ, small. |'],
    ['| `factor` | number > 0, ≤ 1 | **required** | What is left each day. |'],
  ])('has the row %s', (row) => {
    expect(reference.split('\n')).toContain(row);
  });

  test('describes a section that stands in two places once', () => {
    expect(reference.match(/^## .*$/gm)).toEqual(['## Top level', '## walk', '## swim', '## pace']);
    expect(reference).toContain('Part of `walk.pace`, `swim.pace`.');
  });

  test('docs/configuration.md is up to date; if not, `npm run docs` writes it anew', () => {
    const file = fileURLToPath(new URL('../../docs/configuration.md', import.meta.url));
    expect(readFileSync(file, 'utf8')).toBe(configurationReference(runConfig));
  });
});
