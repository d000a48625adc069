import { describe, expect, test } from '@jest/globals';
import { gaussian, selfComposed } from '../../privacy/events.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { Participation } from '../../server/participation.ts';
import { RunPrivacy } from '../../server/run-privacy.ts';
import { interruptedRun, toyRun } from './toy-records.ts';
import { layout, POPULATION, ToyServer, toyConfig } from './toy-run.ts';

const shares = (mechanism = 'gaussian') => toyConfig({ privacy: { noisePlacement: 'shares', mechanism } });
const local = toyConfig({
  privacy: { noisePlacement: 'local', noise: { sigmaClient: 4 } },
  federation: { expectedCohort: 100 },
});

describe.each([
  ['shares', shares()],
  ['shares of discrete Gaussian noise', shares('discreteGaussian')],
  ['local noise', local],
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

describe('shares', () => {
  test('cost what central noise costs', async () => {
    const { ledger } = await toyRun(shares());
    const { ledger: central } = await toyRun(toyConfig());
    expect(ledger).toEqual(central);
  });

  test('are of the realised cohort: the variances of n members add up to that of the whole', () => {
    const privacy = new RunPrivacy(shares(), layout, POPULATION);
    for (const n of [1, 7, 20, 55]) {
      const { settings, limits } = privacy.terms(Array.from({ length: n }, (_, id) => id));
      const whole = (0.7 * 0.5) / privacy.grid.step;
      expect((settings?.noise?.steps ?? 0) ** 2 * n).toBeGreaterThanOrEqual(whole ** 2);
      expect((settings?.noise?.steps ?? 0) ** 2 * n).toBeLessThan(whole ** 2 * (1 + 1e-12));
      expect(limits.clientNoise).toBe(settings?.noise?.steps);
    }
  });

  test('an empty cohort and dropped clients: the server adds what is missing, and only that', () => {
    const size = layout.size;
    const rms = (cohort: number, contributed: number) => {
      let squares = 0;
      const rounds = 2000;
      const privacy = new RunPrivacy(shares(), layout, POPULATION);
      for (let round = 1; round <= rounds; round++) {
        const sum = new Float64Array(size);
        privacy.serverNoise(cohort, contributed).addTo(sum, round);
        squares += sum.reduce((total, x) => total + x * x, 0);
      }
      return Math.sqrt(squares / (rounds * size)) * privacy.grid.step;
    };
    // Four standard errors of the std of 10 000 normals.
    expect(Math.abs(rms(0, 0) / 0.35 - 1)).toBeLessThan(4 / Math.sqrt(20_000));
    expect(Math.abs(rms(20, 15) / (0.35 / 2) - 1)).toBeLessThan(4 / Math.sqrt(20_000));
    expect(rms(20, 20)).toBe(0);
  });
});

describe('local noise', () => {
  test('the ledger adds up to the participations of the busiest user, under replacement', async () => {
    const server = new ToyServer(local);
    const { ledger, outcome } = await toyRun(local, { server });
    const counts = new Map<number, number>();
    for (const id of server.cohorts.flat()) counts.set(id, (counts.get(id) ?? 0) + 1);
    const most = Math.max(...counts.values());
    expect(most).toBeGreaterThan(1);
    const recorded = ledger.reduce((sum, { event }) => sum + (event.kind === 'selfComposed' ? event.count : 0), 0);
    expect(recorded).toBe(most);
    expect(new Set(ledger.map(({ adjacency }) => adjacency))).toEqual(new Set(['replace-one-user']));
    const direct = new RdpAccountant().epsilon(selfComposed(gaussian(4), most), 1e-6, 'replace-one-user');
    expect(outcome.epsilon).toBe(direct.epsilon);
    // Replacing a delta moves the message by 2·C: z = 4 counts as 2.
    expect(outcome.epsilon).toBeCloseTo(new RdpAccountant().epsilon(selfComposed(gaussian(2), most), 1e-6).epsilon, 9);
  });

  const release = toyConfig({
    privacy: { noisePlacement: 'local', noise: { sigmaClient: 4 }, noiseSource: 'cryptographic' },
    federation: { expectedCohort: 100 },
  });

  test('a round is in the ledger before its clients send anything to the server', async () => {
    const { ledger } = await interruptedRun(release, 3, 2);
    // The server of round 3 got messages and died; they were seen all the same.
    expect(ledger.map(({ round }) => round)).toEqual([1, 2, 3, 3, 4, 5, 6]);
    const counts = ledger.map(({ event }) => (event.kind === 'selfComposed' ? event.count : Number.NaN));
    // Whose messages they were is forgotten: everybody took part in round 3, and may in its repetition.
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(3);
  });

  test('the server is told nothing of single clients, and its records say so', async () => {
    const { records } = await toyRun(local);
    const { deltaNorms, clippedFraction } = records[1].layers;
    expect([records[1].trainLoss, ...deltaNorms, ...clippedFraction]).toEqual([null, null, null, null, null]);
    const server = new ToyServer(local);
    const { settings } = new RunPrivacy(local, layout, POPULATION).terms([3]);
    const results: object[] = [];
    await server.runRound(
      1,
      layout.allocate(),
      [[3], [5]],
      (_shard, { sum: _sum, seconds: _, ...told }) => results.push(told),
      settings,
    );
    expect(results[0]).toEqual(results[1]);
  });

  test('rounds that a crash lost count for everybody', () => {
    const users = new Participation(3);
    expect(users.add([0, 1])).toBe(1);
    expect(users.add([2])).toBe(0);
    expect(users.add([2])).toBe(1);
    const resumed = new Participation(3);
    resumed.restore(users.counts, 3, 2);
    // The ledger has 3; two lost rounds on top of two participations make 4.
    expect(resumed.add([])).toBe(1);
    expect(resumed.add([2])).toBe(1);
    expect(resumed.most).toBe(5);
    expect(() => new Participation(2).restore(users.counts, 0, 0)).toThrow('how often users took part');
  });
});
