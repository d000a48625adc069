import { describe, expect, test } from '@jest/globals';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { interruptedRun, toyRun } from './toy-records.ts';
import { ToyServer, toyConfig } from './toy-run.ts';

const config = (mode: string) =>
  toyConfig({ privacy: { clipping: { mode, bound: 0.5, adaptive: { quantile: 0.3, countNoise: 2 } } } });

describe.each(['global', 'dim'])('adaptive bounds, %s', (mode) => {
  test('cost what the stated noise costs, and are recorded as they move', async () => {
    const { outcome, records, ledger } = await toyRun(config(mode));
    const plain = await toyRun(toyConfig());
    expect(outcome.epsilon).toBeCloseTo(plain.outcome.epsilon ?? 0, 9);
    expect(new RdpAccountant().epsilon(ledger, 1e-6).epsilon).toBe(outcome.epsilon);
    const bounds = records.slice(1).map(({ clippingBounds }) => clippingBounds ?? []);
    expect(bounds[0].length).toBe(mode === 'global' ? 1 : 2);
    expect(Math.hypot(...bounds[0])).toBeCloseTo(0.5, 12);
    expect(new Set(bounds.map(String)).size).toBe(bounds.length);
  });

  test('the same bits whatever the order of arrival and after an interruption', async () => {
    const settings = config(mode);
    const whole = await toyRun(settings);
    const backwards = await toyRun(settings, { server: new ToyServer(settings, (left) => left[left.length - 1]) });
    expect(backwards.outcome).toEqual(whole.outcome);
    const resumed = await interruptedRun(settings, 6, 4);
    expect(resumed.records).toEqual(whole.records);
    expect(resumed.ledger).toEqual(whole.ledger);
    expect(resumed.outcome).toEqual(whole.outcome);
  });
});
