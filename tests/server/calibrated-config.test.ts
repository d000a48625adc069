import { describe, expect, test } from '@jest/globals';
import { privacyConfig } from '../../privacy/config.ts';
import { selfComposed } from '../../privacy/events.ts';
import { PldAccountant } from '../../privacy/pld-accountant.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { resolvePrivacy } from '../../privacy/resolve.ts';
import { calibratedConfig } from '../../server/calibrated-config.ts';
import { toyConfig } from './toy-run.ts';

const POPULATION = 10_000;
const budget = { epsilon: 3, delta: 1e-6 };
const noise = { calibrate: true };

describe('noise calibrated to the budget', () => {
  test.each([
    ['gaussian', 'pld', new PldAccountant()],
    ['gaussian', 'rdp', new RdpAccountant()],
  ] as const)('%s by %s: all rounds fit, and would not with 0.1 %% less noise', (mechanism, accountant, prices) => {
    const asked = toyConfig({ federation: { rounds: 300 }, privacy: { mechanism, accountant, noise, budget } });
    const config = calibratedConfig(asked, POPULATION);
    const epsilonAt = (share: number) => {
      const multiplier = share * (config.privacy.noise?.multiplier ?? 0);
      const scale = { expectedCohort: config.federation.expectedCohort, population: POPULATION };
      const { roundEvent } = resolvePrivacy({ ...config.privacy, noise: { multiplier } }, scale);
      return prices.epsilon(selfComposed(roundEvent, 300), budget.delta).epsilon;
    };
    expect(epsilonAt(1)).toBeLessThanOrEqual(3);
    expect(epsilonAt(0.999)).toBeGreaterThan(3);
    // What the run directory says is a number: nothing is left to choose when resuming.
    expect(config.privacy.noise).toEqual({ multiplier: config.privacy.noise?.multiplier });
    expect(calibratedConfig(config, POPULATION)).toBe(config);
  });

  test('discrete Gaussian noise is calibrated by RDP, whose bound of it is a little larger', () => {
    const z = (mechanism: string) =>
      calibratedConfig(
        toyConfig({ federation: { rounds: 50 }, privacy: { mechanism, accountant: 'rdp', noise, budget } }),
        POPULATION,
      ).privacy.noise?.multiplier ?? 0;
    expect(z('discreteGaussian')).toBeGreaterThanOrEqual(z('gaussian'));
    expect(z('discreteGaussian')).toBeLessThan(1.05 * z('gaussian'));
  });

  test.each([
    [{ noise, budget: undefined }, 'needs privacy.budget'],
    [{ noise: { calibrate: true, multiplier: 1 }, budget }, 'give exactly one of'],
    [{ noise, budget, noisePlacement: 'local' }, 'how often users take part'],
  ])('needs a budget, no other noise, and central sampling (%#)', (settings, message) => {
    const result = privacyConfig.safeParse({ clipping: { mode: 'global', bound: 1 }, ...settings });
    expect(result.error?.issues.map((issue) => issue.message).join()).toContain(message);
  });
});
