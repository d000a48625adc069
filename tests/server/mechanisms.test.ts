import { describe, expect, test } from '@jest/globals';
import { interruptedRun, toyRun } from './toy-records.ts';
import { ToyServer, toyConfig } from './toy-run.ts';

const discrete = toyConfig({ privacy: { mechanism: 'discreteGaussian' } });
const laplace = toyConfig({
  privacy: { mechanism: 'laplace', clipping: { mode: 'l1', bound: 0.5 }, noise: { multiplier: 2 } },
});

describe.each([
  ['discrete Gaussian', discrete],
  ['Laplace', laplace],
])('%s', (_, config) => {
  test('the same bits whatever the order of arrival and after an interruption', async () => {
    const whole = await toyRun(config);
    const backwards = await toyRun(config, { server: new ToyServer(config, (left) => left[left.length - 1]) });
    expect(backwards.outcome).toEqual(whole.outcome);
    const resumed = await interruptedRun(config, 6, 4);
    expect(resumed.outcome).toEqual(whole.outcome);
    expect(resumed.records).toEqual(whole.records);
    expect(resumed.ledger).toEqual(whole.ledger);
  });
});

describe('cost', () => {
  test('discrete Gaussian noise: that of Gaussian noise at whole orders, hence never less and hardly more', async () => {
    const { outcome, ledger } = await toyRun(discrete);
    const { outcome: plain } = await toyRun(toyConfig());
    const [mine, gaussian] = [outcome.epsilon ?? 0, plain.epsilon ?? 0];
    expect(mine / gaussian).toBeGreaterThan(1 - 1e-9);
    expect(mine / gaussian).toBeLessThan(1.05);
    expect(ledger[0].event).toMatchObject({ event: { kind: 'discreteGaussian', dimension: 5 } });
  });

  test('Laplace noise: less than the sum of pure epsilons without sampling', async () => {
    const { outcome } = await toyRun(laplace);
    expect(outcome.epsilon).toBeGreaterThan(0);
    // 1 / b per step.
    expect(outcome.epsilon).toBeLessThan(6 / 2);
  });
});
