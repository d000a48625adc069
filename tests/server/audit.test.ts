import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { privacyConfig } from '../../privacy/config.ts';
import { loadCheckpoint, newestCheckpoint } from '../../server/checkpoint.ts';
import type { RoundRecord } from '../../server/records.ts';
import { type FederatedRun, runFederated } from '../../server/run.ts';
import { RunDirectory, readLines } from '../../server/run-directory.ts';
import { dataset, evaluator, layout, ToyServer, temporaryDirectory, toyConfig } from './toy-run.ts';

const AUDITED = toyConfig({ privacy: { audit: { canaries: 40 } } });

async function start(overrides: Partial<FederatedRun> = {}) {
  const config = overrides.config ?? AUDITED;
  const runDirectory = overrides.runDirectory ?? (await RunDirectory.create(await temporaryDirectory(), 'toy'));
  const server = new ToyServer(config);
  const initialParameters = layout.allocate();
  const options = { initialParameters, layout, evaluator, dataset, server, ...overrides, config, runDirectory };
  const { parameters } = await runFederated(options);
  const records = (await readLines(runDirectory.roundsFile)) as RoundRecord[];
  return { parameters, runDirectory, records, server };
}

const scoresOf = async ({ path }: RunDirectory) =>
  JSON.parse(await readFile(join(path, 'audit.json'), 'utf8')) as { round: number; scores: number[] };

describe('a run with canaries', () => {
  test('has the cohorts and ε of the run without, other weights, and scores in a file', async () => {
    const plain = await start({ config: toyConfig() });
    const audited = await start();
    expect(audited.server.cohorts).toEqual(plain.server.cohorts);
    expect(audited.records.map(({ epsilon }) => epsilon)).toEqual(plain.records.map(({ epsilon }) => epsilon));
    expect(audited.parameters).not.toEqual(plain.parameters);
    expect(plain.records.some((record) => 'canaries' in record)).toBe(false);
    expect(audited.records.slice(1).reduce((sum, record) => sum + (record.canaries ?? 0), 0)).toBeGreaterThan(0);
    const { round, scores } = await scoresOf(audited.runDirectory);
    expect(round).toBe(6);
    expect(scores).toHaveLength(40);
  });

  test('gives the same bits in any order of arrival and after a break', async () => {
    const whole = await start();
    const backwards = await start({ server: new ToyServer(AUDITED, (left) => left[left.length - 1]) });
    expect(await scoresOf(backwards.runDirectory)).toEqual(await scoresOf(whole.runDirectory));
    const stop = new AbortController();
    const progress = { onRound: ({ round }: RoundRecord) => round === 3 && stop.abort() };
    const { runDirectory } = await start({
      signal: stop.signal,
      progress: { onRound: (each) => void progress.onRound(each) },
    });
    expect((await scoresOf(runDirectory)).round).toBe(3);
    const resumeFrom = await newestCheckpoint(runDirectory.checkpoints);
    const resumed = await start({ runDirectory, ...(resumeFrom ? { resumeFrom } : {}) });
    expect(resumed.parameters).toEqual(whole.parameters);
    expect(await scoresOf(runDirectory)).toEqual(await scoresOf(whole.runDirectory));
  });

  test('a checkpoint holds the scores that the file states', async () => {
    const { runDirectory } = await start();
    const { privacy } = await loadCheckpoint(join(runDirectory.checkpoints, 'round-000006.ckpt'));
    expect([...privacy.canaryScores]).toEqual((await scoresOf(runDirectory)).scores);
  });
});

describe('what cannot be audited is refused', () => {
  const audit = { canaries: 100 };
  const clipping = { mode: 'dim', bound: 1 };
  const noise = { multiplier: 1 };
  test.each([
    {
      name: 'correlated noise',
      settings: { clipping, noise, mechanism: 'bandedMatrix', bands: 2 },
      why: 'bandedMatrix',
    },
    { name: 'laplace', settings: { clipping: { mode: 'l1', bound: 1 }, noise, mechanism: 'laplace' }, why: 'L2 norm' },
    { name: 'no clipping', settings: { clipping: { mode: 'none' }, mechanism: 'none' }, why: 'clipping bound' },
    { name: 'adaptive', settings: { clipping: { ...clipping, adaptive: {} }, noise }, why: 'adaptive' },
    { name: 'shares', settings: { clipping, noise, noisePlacement: 'shares' }, why: 'noisePlacement' },
    {
      name: 'local',
      settings: { clipping, noise: { sigmaClient: 1 }, noisePlacement: 'local' },
      why: 'noisePlacement',
    },
  ])('$name', ({ settings, why }) => {
    const issues = privacyConfig.safeParse({ ...settings, audit }).error?.issues ?? [];
    expect(issues.filter(({ path }) => path[0] === 'audit').map(({ message }) => message)).toEqual([
      expect.stringContaining(why),
    ]);
  });

  test('too few canaries, an impossible confidence, unknown keys', () => {
    for (const wrong of [{ canaries: 5 }, { canaries: 100, confidence: 1 }, { canaries: 100, seed: 1 }, {}]) {
      expect(privacyConfig.safeParse({ clipping, noise, audit: wrong }).success).toBe(false);
    }
    expect(privacyConfig.parse({ clipping: { mode: 'global', bound: 1 }, mechanism: 'none', audit }).audit).toEqual({
      canaries: 100,
      confidence: 0.99,
    });
  });
});
