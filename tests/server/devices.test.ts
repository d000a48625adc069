import { describe, expect, test } from '@jest/globals';
import { availableAt, deviceOf, hourOfRound, luckOf } from '../../server/devices.ts';
import { simulationConfig } from '../../server/simulation-config.ts';

const USERS = 20_000;
const ids = Array.from({ length: USERS }, (_, id) => id);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));

describe('devices', () => {
  const settings = simulationConfig.parse({
    compute: { secondsPerStep: 3, spread: 0.7 },
    bandwidth: { downloadMbps: 8, uploadMbps: 2, spread: 1.1 },
    availability: { peak: 1, timeZones: [-8, 1, 9] },
    roundSeconds: 100,
    deadlineSeconds: 50,
  });
  const devices = ids.map((id) => deviceOf(settings, 'seed', id));

  test('speeds are lognormal around the stated medians', () => {
    const slowness = devices.map(({ secondsPerStep }) => Math.log(secondsPerStep / 3));
    const download = devices.map((device) => Math.log(device.download / 1e6));
    // Four standard errors of a mean and of a deviation.
    expect(Math.abs(mean(slowness))).toBeLessThan((4 * 0.7) / Math.sqrt(USERS));
    expect(Math.abs(mean(download))).toBeLessThan((4 * 1.1) / Math.sqrt(USERS));
    expect(Math.abs(deviation(slowness) - 0.7)).toBeLessThan((4 * 0.7) / Math.sqrt(2 * USERS));
    expect(Math.abs(deviation(download) - 1.1)).toBeLessThan((4 * 1.1) / Math.sqrt(2 * USERS));
    // A slow connection is slow both ways; slow processors have no slow connections.
    expect(devices.every(({ download, upload }) => Math.abs(download / upload - 4) < 1e-9)).toBe(true);
    const correlation = mean(slowness.map((value, i) => value * download[i]!)) / (0.7 * 1.1);
    expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(USERS));
  });

  test('time zones are equally likely', () => {
    for (const zone of [-8, 1, 9]) {
      const part = devices.filter(({ timeZone }) => timeZone === zone).length / USERS;
      expect(Math.abs(part - 1 / 3)).toBeLessThan(4 * Math.sqrt(2 / 9 / USERS));
    }
  });

  test('are the same whenever they are drawn, and others under another seed', () => {
    expect(deviceOf(settings, 'seed', 7)).toEqual(devices[7]);
    expect(deviceOf(settings, 'other', 7)).not.toEqual(devices[7]);
  });

  test('without settings nothing takes time', () => {
    const device = deviceOf(simulationConfig.parse({}), 1, 5);
    expect(device).toEqual({ secondsPerStep: 0, download: Infinity, upload: Infinity, timeZone: 0 });
  });
});

describe('luck', () => {
  const settings = simulationConfig.parse({ dropout: { beforeTraining: 0.2, afterTraining: 0.05 } });
  const device = deviceOf(settings, 1, 0);
  const draws = ids.map((id) => luckOf(settings, 1, 3, id, device));

  test.each([
    ['lostBefore', 0.2],
    ['lostAfter', 0.05],
  ] as const)('%s has its probability', (event, probability) => {
    const part = draws.filter((luck) => luck[event]).length / USERS;
    expect(Math.abs(part - probability)).toBeLessThan(4 * Math.sqrt((probability * (1 - probability)) / USERS));
  });

  test('one setting does not change the draws of another', () => {
    const other = simulationConfig.parse({ dropout: { beforeTraining: 0.2, afterTraining: 1 } });
    expect(ids.map((id) => luckOf(other, 1, 3, id, device).lostBefore)).toEqual(draws.map((luck) => luck.lostBefore));
  });

  test('rounds are independent', () => {
    const next = ids.map((id) => luckOf(settings, 1, 4, id, device).lostBefore);
    const both = next.filter((lost, id) => lost && draws[id]!.lostBefore).length / USERS;
    expect(Math.abs(both - 0.04)).toBeLessThan(4 * Math.sqrt((0.04 * 0.96) / USERS));
  });
});

describe('availability', () => {
  const settings = simulationConfig.parse({
    availability: { peak: 0.6, trough: 0.1, peakHour: 3, timeZones: [0, 6] },
    roundSeconds: 3600,
    startHour: 22,
  });

  test('peaks at its hour, is least twelve hours from it, and between them halfway', () => {
    expect(availableAt(settings, 3)).toBeCloseTo(0.6, 12);
    expect(availableAt(settings, 15)).toBeCloseTo(0.1, 12);
    expect(availableAt(settings, 9)).toBeCloseTo(0.35, 12);
    expect(availableAt(settings, 3 + 24)).toBeCloseTo(0.6, 12);
  });

  test('the clock goes on with the rounds', () => {
    expect([1, 2, 3, 27].map((round) => hourOfRound(settings, round))).toEqual([22, 23, 0, 0]);
  });

  test('a device goes by its own clock', () => {
    // Round 6 starts at 3 on the server's clock: the peak for devices of zone 0, hour 9 for those of zone 6.
    for (const [zone, expected] of [
      [0, 0.6],
      [6, 0.35],
    ] as const) {
      const device = { ...deviceOf(settings, 1, 0), timeZone: zone };
      const part = ids.filter((id) => luckOf(settings, 1, 6, id, device).available).length / USERS;
      expect(Math.abs(part - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / USERS));
    }
  });
});
