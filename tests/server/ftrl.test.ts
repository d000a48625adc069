import { describe, expect, test } from '@jest/globals';
import { gaussian, selfComposed } from '../../privacy/events.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { loadCheckpoint } from '../../server/checkpoint.ts';
import { parseRunConfig } from '../../server/run-config.ts';
import { interruptedRun, toyRun } from './toy-records.ts';
import { ToyServer, toyConfig } from './toy-run.ts';

const federation = { rounds: 12, expectedCohort: 50, sampling: 'cyclic' };
const config = (privacy: object) =>
  toyConfig({ federation, privacy: { ...privacy, noise: { multiplier: 3 } }, checkpoint: { every: 2, keep: 20 } });
const tree = { mechanism: 'treeAggregation' };
const banded = { mechanism: 'bandedMatrix', bands: 3 };

describe.each([
  ['tree aggregation', tree],
  ['banded matrix', banded],
])('%s', (_, privacy) => {
  test('the same bits whatever the order of arrival and after an interruption', async () => {
    const settings = config(privacy);
    const whole = await toyRun(settings);
    const backwards = await toyRun(settings, { server: new ToyServer(settings, (left) => left[left.length - 1]) });
    expect(backwards.outcome).toEqual(whole.outcome);
    const resumed = await interruptedRun(settings, 8, 6);
    expect(resumed.outcome).toEqual(whole.outcome);
    expect(resumed.records).toEqual(whole.records);
    expect(resumed.ledger).toEqual(whole.ledger);
  });

  test('cohorts have exactly S members, four rounds apart', async () => {
    const settings = config(privacy);
    const server = new ToyServer(settings);
    await toyRun(settings, { server });
    const rounds = server.cohorts.map((cohort) => new Set(cohort));
    for (const [t, cohort] of rounds.entries()) {
      expect(cohort.size).toBe(50);
      for (const later of rounds.slice(t + 1, t + 4)) expect([...later].filter((id) => cohort.has(id))).toEqual([]);
    }
  });

  test('with cryptographic noise a run goes on from its last round, and not from before it', async () => {
    const settings = config({ ...privacy, noiseSource: 'cryptographic' });
    const short = new AbortController();
    const progress = { onRound: ({ round }: { round: number }) => round === 5 && short.abort() };
    const { runDirectory, ledger } = await toyRun(settings, {
      signal: short.signal,
      progress: { onRound: (record) => void progress.onRound(record) },
    });
    expect(ledger.length).toBe(5);
    const at = (round: number) => loadCheckpoint(`${runDirectory.checkpoints}/round-00000${round}.ckpt`);
    const { outcome } = await toyRun(settings, { runDirectory, resumeFrom: await at(5) });
    expect(outcome).toMatchObject({ round: 12, finished: true });
    // Noise of the past stands in checkpoints as long as rounds need it, and not beside a finished model.
    const last = await loadCheckpoint(`${runDirectory.checkpoints}/round-000012.ckpt`);
    expect(Object.keys((await at(5)).privacy)).not.toEqual([]);
    expect(Object.keys(last.privacy)).toEqual([]);
    expect((await toyRun(settings, { runDirectory, resumeFrom: last })).outcome).toEqual(outcome);
    await expect(toyRun(settings, { runDirectory, resumeFrom: await at(5) })).rejects.toThrow('cannot be drawn twice');
  });

  test('another number of rounds is another mechanism', async () => {
    const settings = config(privacy);
    const { runDirectory } = await toyRun(settings);
    const resumeFrom = await loadCheckpoint(`${runDirectory.checkpoints}/round-000006.ckpt`);
    const longer = { ...settings, federation: { ...settings.federation, rounds: 20 } };
    await expect(toyRun(longer, { runDirectory, resumeFrom })).rejects.toThrow('other settings');
  });
});

describe('cost', () => {
  const epsilon = (z: number, times: number) =>
    new RdpAccountant().epsilon(selfComposed(gaussian(z), times), 1e-6).epsilon;

  test('banded: one Gaussian of multiplier z per participation, three of them', async () => {
    const { records, outcome } = await toyRun(config(banded));
    expect(outcome.epsilon).toBeCloseTo(epsilon(3, 3), 9);
    // Users take part in rounds 1–4, 5–8, 9–12.
    expect(records[4].epsilon).toBeCloseTo(epsilon(3, 1), 9);
    expect(records[5].epsilon).toBeCloseTo(epsilon(3, 2), 9);
  });

  test('tree: three participations meet in the upper nodes, and cost more than three alone', async () => {
    const { outcome } = await toyRun(config(tree));
    expect(outcome.epsilon).toBeGreaterThan(epsilon(3, 3));
    // One participation alone: √4 nodes above a leaf of 12, the node's noise is scaled by as much.
    const { records } = await toyRun(config(tree));
    expect(records[1].epsilon).toBeLessThanOrEqual(epsilon(3, 1));
    // Worst case by hand, distances of at least 4 in 12 leaves: levels of 1, 2 and 4 leaves have a participation per node, 3 each;
    // of the level of 8, one node is complete and holds two: 4 + 1.
    expect(outcome.epsilon).toBeCloseTo(epsilon((3 * 2) / Math.sqrt(3 + 3 + 3 + 5), 1), 9);
  });

  test('sampler and mechanism must fit', () => {
    const raw = (changes: { federation?: object; privacy?: object }) => ({
      model: { kind: 'mlp' },
      data: { kind: 'synthetic-images', population: 200 },
      local: { steps: 1, batchSize: 1, learningRate: 0.1 },
      federation: { rounds: 12, expectedCohort: 50, ...changes.federation },
      optimizer: { kind: 'sgd', learningRate: 1 },
      privacy: { clipping: { mode: 'global', bound: 1 }, noise: { multiplier: 1 }, ...changes.privacy },
    });
    expect(() => parseRunConfig(raw({ privacy: tree }), 'x.yaml')).toThrow('federation.sampling');
    expect(() => parseRunConfig(raw({ federation: { sampling: 'cyclic' } }), 'x.yaml')).toThrow('no Poisson sample');
    expect(() => parseRunConfig(raw({ federation, privacy: { ...tree, bands: 2 } }), 'x.yaml')).toThrow('bands');
    expect(() => parseRunConfig(raw({ federation, privacy: { mechanism: 'bandedMatrix' } }), 'x.yaml')).toThrow(
      'bands',
    );
    expect(() => parseRunConfig(raw({ federation, privacy: banded }), 'x.yaml')).not.toThrow();
  });

  test('bands wider than the distance of two participations are refused', async () => {
    await expect(toyRun(config({ ...banded, bands: 5 }))).rejects.toThrow('privacy.bands: 5 is more than the 4 rounds');
  });
});
