import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { gaussian, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { parseLedger } from '../../privacy/ledger.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import type { RoundRecord } from '../../server/records.ts';
import { runFederated } from '../../server/run.ts';
import { RunDirectory, readLines } from '../../server/run-directory.ts';
import { simulationConfig } from '../../server/simulation-config.ts';
import { dataset, evaluator, layout, POPULATION, ToyServer, temporaryDirectory, toyConfig } from './toy-run.ts';

const initialParameters = Float32Array.of(1, -1, 1, -1, 0.5);

async function run(simulation: object, sections: Parameters<typeof toyConfig>[0] = {}) {
  const config = { ...toyConfig(sections), simulation: simulationConfig.parse(simulation) };
  const server = new ToyServer(config);
  const runDirectory = await RunDirectory.create(await temporaryDirectory(), 'toy');
  const outcome = await runFederated({ config, runDirectory, server, initialParameters, layout, evaluator, dataset });
  const records = (await readLines(runDirectory.roundsFile)) as RoundRecord[];
  const ledger = parseLedger(await readFile(runDirectory.ledgerFile, 'utf8'));
  return { outcome, records: records.slice(1), ledger, server };
}

describe('accounting under simulation', () => {
  test('over-selection raises the sampling rate that is accounted; dropout gives nothing of it back', async () => {
    const { outcome, records, ledger } = await run({ overSelection: 1.5, dropout: { beforeTraining: 0.6 } });
    // S = 20 of K = 200: q = 0.15, not 0.1, however few deltas arrive.
    const event = poissonSampled(0.15, gaussian(0.7));
    expect(ledger.map((entry) => entry.event)).toEqual(Array(6).fill(event));
    expect(outcome.epsilon).toBeCloseTo(new RdpAccountant().epsilon(selfComposed(event, 6), 1e-6).epsilon, 9);
    for (const { cohort, contributed, simulation } of records) {
      expect(simulation!.lostBeforeTraining).toBeGreaterThan(0);
      expect(contributed + simulation!.lostBeforeTraining).toBe(cohort);
    }
    const sampled = records.reduce((sum, { cohort }) => sum + cohort, 0);
    // Expected 180 over six rounds, deviation 12.4; without over-selection it would be 120.
    expect(sampled).toBeGreaterThan(150);
  });

  test('a round that everybody drops out of still gets noise, and is accounted', async () => {
    const { outcome, records, ledger } = await run({ dropout: { beforeTraining: 1 } });
    expect(ledger).toHaveLength(6);
    expect(records.map(({ contributed }) => contributed)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(records.every(({ updateNorm }) => updateNorm > 0)).toBe(true);
    expect([...outcome.parameters]).not.toEqual([...initialParameters]);
  });

  test('the divisor stays the configured cohort, whoever was sampled or dropped out', async () => {
    const plain = {
      federation: { rounds: 1, expectedCohort: POPULATION / 4 },
      optimizer: { kind: 'sgd', learningRate: 1 },
      privacy: { mechanism: 'none', clipping: { mode: 'none' }, noise: undefined },
    };
    const { outcome, server, records } = await run({ overSelection: 4, dropout: { afterTraining: 0.5 } }, plain);
    const [{ cohort, contributed }] = records;
    expect(cohort).toBe(POPULATION);
    expect(contributed).toBeLessThan(0.7 * POPULATION);
    const [trained] = server.cohorts;
    // Every delta is 0.1 · (θ − target) + jitter of at most 0.01: its sum over S, not over those who came.
    const expected = initialParameters.map((value, i) => {
      const targets = trained!.map((id) => dataset.client(id).fields.target!.data[i]!);
      return value - targets.reduce((sum, target) => sum + 0.1 * (value - target), 0) / (POPULATION / 4);
    });
    const slack = (0.01 * contributed) / (POPULATION / 4);
    outcome.parameters.forEach((value, i) => {
      expect(value).toBeLessThanOrEqual(expected[i]! + 1e-5);
      expect(value).toBeGreaterThan(expected[i]! - slack);
    });
  });

  test('noise shares of clients that drop out are added by the server', async () => {
    const privacy = { noisePlacement: 'shares', clipping: { mode: 'global', bound: 1e-3 }, noise: { multiplier: 1e6 } };
    const federation = { rounds: 1, expectedCohort: 40 };
    const optimizer = { kind: 'sgd', learningRate: 1 };
    // The deltas are nothing beside the noise: with everybody gone, all of it must come from the server.
    const norms = async (beforeTraining: number) =>
      (await run({ dropout: { beforeTraining } }, { privacy, federation, optimizer })).records[0]!.updateNorm;
    const std = 1e6 * 1e-3 * Math.sqrt(layout.size);
    const gone = (40 * (await norms(1))) / std;
    expect(gone).toBeGreaterThan(0.2);
    expect(gone).toBeLessThan(2.5);
  });
});
