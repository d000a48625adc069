import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { layerBounds } from '../../privacy/clipping.ts';
import { privacyConfig } from '../../privacy/config.ts';
import { seededNoise } from '../../privacy/noise.ts';
import { allocateNoise } from '../../privacy/noise-groups.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { resolvePrivacy } from '../../privacy/resolve.ts';
import { roundMechanism } from '../../privacy/round-mechanism.ts';

const layout = new ParameterLayout([
  { name: 'block0.ln1.weight', shape: [8] },
  { name: 'block0.mlp.w1', shape: [40, 30] },
  { name: 'block0.mlp.w2', shape: [30, 40] },
  { name: 'head', shape: [100] },
]);
const groups = [
  { layers: ['*.mlp.*'], factor: 0.5 },
  { layers: ['*.ln1.*'], factor: 4 },
];

describe('allocateNoise', () => {
  test.each(['uniform', 'dim'] as const)('%s: 1/z² of the groups add up to that of the whole', (mode) => {
    const allocated = allocateNoise(layout, { mode, bound: 0.3 }, 0.8, groups);
    expect(allocated.map(({ layers }) => layers)).toEqual([[1, 2], [0], [3]]);
    const precision = allocated.reduce((sum, g) => sum + (g.sensitivity / g.standardDeviation) ** 2, 0);
    expect(precision).toBeCloseTo(0.8 ** -2, 10);
    const [mlp, norms, rest] = allocated.map((g) => g.standardDeviation);
    expect(mlp / rest).toBeCloseTo(0.5, 12);
    expect(norms / rest).toBeCloseTo(4, 12);
  });

  test.each(['global', 'uniform', 'dim'] as const)(
    '%s: no delta that the clipping lets pass moves the scaled sum by more than 1/z',
    (mode) => {
      const clipping = { mode, bound: 0.3 };
      const bounds = layerBounds(clipping, layout);
      const allocated = allocateNoise(layout, clipping, 0.8, groups);
      const std = layout.layers.map(
        (_, h) => allocated.find(({ layers }) => layers.includes(h))?.standardDeviation ?? 0,
      );
      const shift = (norms: readonly number[]) => Math.hypot(...norms.map((norm, h) => norm / std[h]));
      // The corners: all of the norm in one layer (global), or every layer at its bound.
      const corners =
        mode === 'global'
          ? layout.layers.map((_, h) => layout.layers.map((__, i) => (i === h ? 0.3 : 0)))
          : [[...bounds]];
      const largest = Math.max(...corners.map(shift));
      expect(largest).toBeCloseTo(1 / 0.8, 10);
    },
  );

  test('no groups is the plain mechanism', () => {
    const [all] = allocateNoise(layout, { mode: 'dim', bound: 0.3 }, 0.8, []);
    expect(all.standardDeviation).toBeCloseTo(0.24, 12);
  });

  test('a pattern without layers is refused by its place', () => {
    const twice = [...groups, { layers: ['*.w1'], factor: 2 }];
    expect(() => allocateNoise(layout, { mode: 'dim', bound: 1 }, 1, twice)).toThrow(
      'noiseGroups.2: *.w1 fits no layer',
    );
  });
});

describe('in a run', () => {
  const scale = { expectedCohort: 100, population: 10_000 };
  const config = (changes: object) =>
    privacyConfig.parse({ clipping: { mode: 'dim', bound: 0.3 }, noise: { multiplier: 0.8 }, ...changes });
  const accountant = new RdpAccountant();

  test.each(['global', 'uniform', 'dim'] as const)('%s: epsilon is that of the combined multiplier', (mode) => {
    const clipping = { mode, bound: 0.3 };
    const plain = roundMechanism(resolvePrivacy(config({ clipping }), scale), layout, seededNoise(1));
    const grouped = roundMechanism(
      resolvePrivacy(config({ clipping, noiseGroups: groups }), scale),
      layout,
      seededNoise(1),
    );
    const epsilon = (event: ReturnType<typeof plain.event>) => accountant.epsilon(event, 1e-6).epsilon;
    expect(epsilon(grouped.event(1))).toBeCloseTo(epsilon(plain.event(1)), 10);
    expect(grouped.event(1)).toMatchObject({
      event: { kind: mode === 'global' ? 'gaussian' : 'composed' },
    });
  });

  test('every layer gets the noise of its group', () => {
    const settings = resolvePrivacy(config({ noiseGroups: groups }), scale);
    const { noise, grid } = roundMechanism(settings, layout, seededNoise(1));
    const sum = new Float64Array(layout.size);
    noise.addTo(sum, 1);
    const allocated = allocateNoise(layout, settings.clipping, 0.8, groups);
    for (const { layers, standardDeviation } of allocated.filter(({ layers: [h] }) => layout.layers[h].size >= 100)) {
      const values = layers.flatMap((h) => [
        ...sum.subarray(layout.layers[h].offset, layout.layers[h].offset + layout.layers[h].size),
      ]);
      const std = Math.sqrt(values.reduce((total, x) => total + x * x, 0) / values.length) * grid.step;
      expect(Math.abs(std / standardDeviation - 1)).toBeLessThan(4 / Math.sqrt(2 * values.length));
    }
  });

  test('groups without Gaussian noise are refused', () => {
    const none = { clipping: { mode: 'none' }, mechanism: 'none', noiseGroups: groups };
    expect(privacyConfig.safeParse(none).error?.issues.map(({ path }) => path)).toContainEqual(['noiseGroups']);
    expect(() =>
      roundMechanism(
        resolvePrivacy(config({ noiseGroups: [{ layers: ['x'], factor: 1 }] }), scale),
        layout,
        seededNoise(1),
      ),
    ).toThrow(PrivacyError);
  });
});
