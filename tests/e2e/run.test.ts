import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeBuilt, dpfl, type Ended } from '../support/command-line.ts';
import { cleanUp, fingerprints, type Outcome, outcomeOf, tinyDirectory, writeConfig } from './support/tiny-run.ts';

const PATIENCE = 90_000;

describeBuilt('dpfl run', () => {
  let directory: string;
  let reference: string;
  let ended: Ended;
  let expected: Outcome;

  beforeAll(async () => {
    directory = tinyDirectory();
    ended = await dpfl(['run', 'tiny.yaml'], { cwd: directory });
    reference = join(directory, 'runs', 'tiny-001');
    expected = outcomeOf(reference);
  }, PATIENCE);
  afterAll(cleanUp);

  test('shows progress on stderr, ends with a summary on stdout and exits 0', () => {
    const { status, stdout, stderr } = ended;
    expect(status).toBe(0);
    expect(stderr).toMatch(/stage 1: seed model, trained centrally .* \(no user's data\)/);
    expect(stderr).toMatch(/^round 0\/3 .*WER \d/m);
    expect(stderr).toMatch(/^round 3\/3 .*loss \d.*WER \d.*ε \d.*clients\/s/m);
    expect(stdout).toMatch(/^WER +[\d.]+ % -> [\d.]+ % on 6 held-out examples$/m);
    expect(stdout).toMatch(/^privacy +epsilon [\d.]+ at delta 0\.0001 \(seeded noise/m);
    expect(stdout).toMatch(/accountant: Rényi DP/);
    expect(stdout).toContain(join('runs', 'tiny-001'));
  });

  test('writes every file of a run directory, and no temporary one', () => {
    const checkpoints = ['checkpoints/round-000002.ckpt', 'checkpoints/round-000003.ckpt'];
    const files = [
      'config.yaml',
      'ledger.jsonl',
      'manifest.json',
      'model.onnx',
      'report.html',
      'report.json',
      'report.md',
    ];
    expect(Object.keys(fingerprints(reference))).toEqual([...checkpoints, ...files, 'rounds.jsonl']);
    expect(expected.rounds).toHaveLength(4);
    expect(expected.ledger.trimEnd().split('\n')).toHaveLength(3);
  });

  test('the report says what the records and the ledger say', () => {
    const report = JSON.parse(readFileSync(join(reference, 'report.json'), 'utf8'));
    expect(report.run).toMatchObject({ finished: true, completedRounds: 3, population: 1000 });
    expect(report.privacy).toMatchObject({ guaranteed: true, steps: 3 });
    expect(report.privacy.epsilon).toBe((expected.rounds[3] as { epsilon: number }).epsilon);
  });

  test.each([
    ['one worker', ['federation.workers=1']],
    ['shards of three on five workers', ['federation.shardSize=3', 'federation.workers=5']],
    ['one shard for the whole cohort', ['federation.shardSize=64', 'federation.workers=1']],
    ['no workers and no gRPC, in its own process', ['federation.workers=0']],
    ['single clients in its own process', ['federation.shardSize=1', 'federation.workers=0']],
  ])(
    'gives the same model, records and ledger with %s',
    async (_, changes) => {
      const output = join(tinyDirectory(), 'elsewhere');
      const sets = changes.flatMap((change) => ['--set', change]);
      const { status } = await dpfl(['run', 'tiny.yaml', ...sets, '--output', output], { cwd: directory });
      expect(status).toBe(0);
      expect(outcomeOf(join(output, 'tiny-001'))).toEqual(expected);
    },
    PATIENCE,
  );

  test(
    'another seed gives another model',
    async () => {
      const output = join(tinyDirectory(), 'elsewhere');
      await dpfl(['run', 'tiny.yaml', '--set', 'seed=0', '--output', output], { cwd: directory });
      expect(outcomeOf(join(output, 'tiny-001')).model).not.toBe(expected.model);
    },
    PATIENCE,
  );

  test(
    'the resolved configuration of a run gives that run again, in a directory of its own',
    async () => {
      const before = fingerprints(reference);
      const config = join(reference, 'config.yaml');
      const { status, stdout } = await dpfl(['run', config, '--json'], { cwd: directory });
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ format: 'dpfl-report' });
      expect(outcomeOf(join(directory, 'runs', 'tiny-002'))).toEqual(expected);
      expect(fingerprints(reference)).toEqual(before);
    },
    PATIENCE,
  );

  test('dpfl report writes the same report again', async () => {
    const copy = join(tinyDirectory(), 'copy');
    cpSync(reference, copy, { recursive: true });
    const before = fingerprints(copy);
    const { status, stdout } = await dpfl(['report', copy]);
    expect(status).toBe(0);
    expect(stdout).toContain(`wrote ${join(copy, 'report.md')}`);
    expect(fingerprints(copy)).toEqual(before);
  }, 20_000);

  test(
    "a run's model.onnx can be trained on as the user's own model",
    async () => {
      const model = { kind: 'onnx', path: join('runs', 'tiny-001', 'model.onnx') };
      writeConfig(join(directory, 'own.yaml'), { name: 'own', model, seedModel: undefined });
      const { status } = await dpfl(['run', 'own.yaml'], { cwd: directory });
      expect(status).toBe(0);
      const own = outcomeOf(join(directory, 'runs', 'own-001'));
      const loss = (outcome: Outcome, round: number) =>
        (outcome.rounds[round] as { evaluation: { loss: number } }).evaluation.loss;
      expect(loss(own, 0)).toBe(loss(expected, 3));
      expect(loss(own, 3)).not.toBe(loss(own, 0));
      expect(own.model).not.toBe(expected.model);
    },
    PATIENCE,
  );
});
