import { expect, test } from '@jest/globals';
import { epsilonOfFlags } from '../../cli/epsilon.ts';
import { type NoiseFlags, noiseJson, noiseOfFlags, noiseText } from '../../cli/noise.ts';
import { ConfigError } from '../../errors.ts';

const TARGET: NoiseFlags = { epsilon: '2', delta: '1e-6', samplingRate: '0.01', steps: '200' };

test('the noise multiplier meets the target, and a little less noise does not', () => {
  const answer = noiseOfFlags(TARGET);
  const { epsilon: _, ...rest } = TARGET;
  const at = (z: number) => epsilonOfFlags({ ...rest, noiseMultiplier: String(z) }).statement;
  expect(at(answer.noiseMultiplier).epsilon).toBeLessThanOrEqual(2);
  expect(at(answer.noiseMultiplier * 0.998).epsilonLower).toBeGreaterThan(2);
  expect(Object.keys(noiseJson(answer))).toEqual(['noiseMultiplier', 'epsilon', 'epsilonLower', 'accountant']);
  expect(noiseText(answer)).toMatch(/^noise multiplier z = 0\.\d+\ngives epsilon <= /);
});

test('RDP needs more noise than a privacy-loss distribution', () => {
  const moments = noiseOfFlags({ ...TARGET, accountant: 'rdp' });
  expect(moments.achieved.accountant).toBe('rdp');
  expect(moments.noiseMultiplier).toBeGreaterThan(noiseOfFlags(TARGET).noiseMultiplier);
});

test.each<[Partial<NoiseFlags>, string]>([
  [{ epsilon: '0' }, '--epsilon: must be above 0'],
  [{ epsilon: undefined }, '--epsilon: missing'],
  [{ delta: '1' }, '--delta: must be below 1'],
  [{ accountant: 'magic' }, "--accountant: 'magic'"],
])('%p is refused', (change, message) => {
  expect(() => noiseOfFlags({ ...TARGET, ...change })).toThrow(ConfigError);
  expect(() => noiseOfFlags({ ...TARGET, ...change })).toThrow(message);
});
