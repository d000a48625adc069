import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, outcomeOf, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;

describeBuilt('dpfl run with simulated devices', () => {
  let directory: string;

  beforeAll(async () => {
    directory = tinyDirectory({
      data: {
        kind: 'synthetic-images',
        population: 500,
        samplesPerUser: 20,
        samplesSpread: 0.8,
        imageShape: [1, 6, 6],
      },
      model: { kind: 'mlp', hidden: [8] },
      seedModel: undefined,
      local: { epochs: 1, batchSize: 5, learningRate: 0.1 },
      federation: { rounds: 4, expectedCohort: 20, workers: 1 },
      privacy: { clipping: { mode: 'global', bound: 0.1 }, noise: { multiplier: 1 }, delta: 1e-4 },
      simulation: {
        overSelection: 1.5,
        dropout: { beforeTraining: 0.1, afterTraining: 0.1 },
        compute: { secondsPerStep: 2, spread: 0.5 },
        bandwidth: { downloadMbps: 8, uploadMbps: 1, spread: 0.5 },
        deadlineSeconds: 15,
        roundSeconds: 1800,
        availability: { peak: 0.9, trough: 0.5, timeZones: [0, 5] },
      },
    });
    expect(await dpfl(['run', 'tiny.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
  }, PATIENCE);
  afterAll(cleanUp);

  test('tells in the report what became of clients, how long it took, and what that does to the guarantee', () => {
    const run = join(directory, 'runs', 'tiny-001');
    const report = JSON.parse(readFileSync(join(run, 'report.json'), 'utf8'));
    expect(report.simulation).toMatchObject({ coveredByDifferentialPrivacy: false, seconds: 4 * 1800 });
    const { summed, unavailable, lostBeforeTraining, lostAfterTraining, missedDeadline } = report.simulation;
    expect(summed + unavailable + lostBeforeTraining + lostAfterTraining + missedDeadline).toBeCloseTo(1, 12);
    expect(summed).toBeGreaterThan(0.1);
    expect(missedDeadline).toBeGreaterThan(0);
    expect(report.privacy.sampling.rate).toBeCloseTo((1.5 * 20) / 500, 12);
    const markdown = readFileSync(join(run, 'report.md'), 'utf8');
    expect(markdown).toContain('## Simulated devices\n\n*Not covered by the privacy guarantee');
    expect(markdown).toContain('Over-selection is accounted: q is 30 / K, not 20 / K.');
  });

  test(
    'is the same on three workers',
    async () => {
      const args = ['run', 'tiny.yaml', '--output', 'three', '--set', 'federation.workers=3'];
      expect(await dpfl(args, { cwd: directory })).toMatchObject({ status: 0 });
      expect(outcomeOf(join(directory, 'three', 'tiny-001'))).toEqual(outcomeOf(join(directory, 'runs', 'tiny-001')));
    },
    PATIENCE,
  );

  test(
    'refuses to sample more than everybody',
    async () => {
      const args = ['run', 'tiny.yaml', '--set', 'simulation.overSelection=26'];
      const { status, stderr } = await dpfl(args, { cwd: directory });
      expect(status).toBe(2);
      expect(stderr).toMatch(/^dpfl: --set simulation\.overSelection: 26 times .* exceeds the population/);
    },
    PATIENCE,
  );
});
