import { describe, expect, test } from '@jest/globals';
import type { RoundRecord } from '../../server/records.ts';
import { toyRun } from './toy-records.ts';
import { toyConfig } from './toy-run.ts';

/**
 * What an observer may know by the guarantee: functions of the released models, of the ledger and of public settings. Kept here apart from the
 * code's own list.
 */
const COVERED = ['round', 'learningRate', 'updateNorm', 'epsilon', 'clippingBounds', 'parametersSha256', 'notCovered'];

const clipping = { mode: 'global', bound: 0.5, adaptive: { countNoise: 10 } };

describe.each<[string, object]>([
  ['of a private run', {}],
  ['with bounds that adapt', { privacy: { clipping } }],
])('every field of a record %s', (_, sections) => {
  test('is covered by the guarantee, or marked as not covered', async () => {
    const { records } = await toyRun(toyConfig(sections));
    for (const record of records) {
      const fields = [...Object.keys(record), 'seconds'];
      for (const field of fields) expect([...COVERED, ...(record.notCovered ?? [])]).toContain(field);
      for (const field of COVERED) expect(record.notCovered).not.toContain(field);
    }
  });
});

test('what may be in a record of other runs is marked as well', async () => {
  const { records } = await toyRun(toyConfig());
  const others: (keyof RoundRecord)[] = ['infeasibleTargets', 'faults', 'simulation', 'evaluation'];
  expect(records[0].notCovered).toEqual(expect.arrayContaining(others));
});

test('without noise the model is not covered either', async () => {
  const privacy = { mechanism: 'none', noise: undefined };
  const { records } = await toyRun(toyConfig({ privacy }));
  expect(records[1].notCovered).toEqual(expect.arrayContaining(['updateNorm', 'parametersSha256', 'trainLoss']));
});
