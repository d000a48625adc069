import { describe, expect, test } from '@jest/globals';
import { accuracySection, cohortSection, layerSection, timingSection } from '../../report/training.ts';
import type { RoundRecord } from '../../server/records.ts';

function record(round: number, changes: Partial<RoundRecord> = {}): RoundRecord {
  return {
    round,
    cohort: 10,
    contributed: 10,
    rejectedNonFinite: 0,
    trainLoss: 1,
    learningRate: 1,
    updateNorm: 1,
    epsilon: round,
    layers: { names: ['a', 'b'], deltaNorms: [1, 2], clippedFraction: [0, 1], signalToNoise: [0.5, null] },
    seconds: { total: 4, training: 2, evaluation: 1, server: 1 },
    ...changes,
  };
}

describe('training sections', () => {
  test('accuracy runs from round 0 to the last evaluation, and is marked as not covered', () => {
    const section = accuracySection([
      record(0, { evaluation: { examples: 5, loss: 3, wer: 0.9, cer: 0.5 } }),
      record(1),
      record(2, { evaluation: { examples: 5, loss: 2, wer: 0.4, cer: 0.2 } }),
      record(3),
    ]);
    expect(section?.metric.key).toBe('wer');
    expect([section?.before.wer, section?.after.wer, section?.after.round, section?.after.epsilon]).toEqual([
      0.9, 0.4, 2, 2,
    ]);
    expect(section?.overRounds).toHaveLength(2);
    expect(section?.coveredByDifferentialPrivacy).toBe(false);
    expect(accuracySection([record(1)])).toBeNull();
  });

  test('layer means weigh every client delta alike; empty rounds and missing ratios do not count', () => {
    const layers = (deltaNorm: number, clipped: number, ratio: number | null) => ({
      names: ['a'],
      deltaNorms: [deltaNorm],
      clippedFraction: [clipped],
      signalToNoise: [ratio],
    });
    const { rows } = layerSection([
      record(0, { contributed: 0, layers: layers(0, 0, null) }),
      record(1, { contributed: 30, layers: layers(1, 0.5, 0.2) }),
      record(2, { contributed: 10, layers: layers(5, 1, 0.4) }),
      record(3, { contributed: 0, layers: layers(0, 0, null) }),
    ]);
    expect(rows).toHaveLength(1);
    expect(rows[0].meanDeltaNorm).toBeCloseTo(2, 12);
    expect(rows[0].clippedFraction).toBeCloseTo(0.625, 12);
    expect(rows[0].signalToNoise).toBeCloseTo(0.3, 12);
  });

  test('without noise there is no signal-to-noise ratio', () => {
    expect(layerSection([record(1)]).rows.map((row) => row.signalToNoise)).toEqual([0.5, null]);
  });

  test('cohorts: round 0 is not a round of training', () => {
    const rounds = [
      record(0, { cohort: 0 }),
      record(1, { cohort: 8, contributed: 7, rejectedNonFinite: 1 }),
      record(2, { cohort: 0, contributed: 0 }),
    ];
    expect(cohortSection(rounds, 5)).toMatchObject({
      expected: 5,
      mean: 4,
      smallest: 0,
      largest: 8,
      emptyRounds: 1,
      contributed: 7,
      rejectedNonFinite: 1,
    });
    expect(cohortSection([record(0)], 5)).toBeNull();
  });

  test('clients per second are per second of training', () => {
    expect(timingSection([record(1), record(2)])).toMatchObject({
      totalSeconds: 8,
      trainingSeconds: 4,
      clientsPerSecond: 5,
    });
    expect(timingSection([]).clientsPerSecond).toBeNull();
    expect(timingSection([record(1)]).workersBusy).toBeNull();
    const busy = (busy: number, idle: number) => {
      const workers = { count: 2, busy, idle, data: 0, localTraining: busy, clipping: 0 };
      return { ...record(1), seconds: { ...record(1).seconds, workers } };
    };
    expect(timingSection([record(0), busy(3, 1), busy(6, 2)]).workersBusy).toBe(0.75);
  });

  test('faults of workers are added up by kind', () => {
    const rounds = [
      record(1, { faults: { leaseLost: 2 } }),
      record(2),
      record(3, { faults: { leaseLost: 1, duplicate: 4 } }),
    ];
    expect(timingSection(rounds).faults).toEqual({ leaseLost: 3, duplicate: 4 });
    expect(timingSection([record(1)]).faults).toEqual({});
  });
});
