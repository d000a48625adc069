import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, temporaryDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;

/** An easy problem: everybody is in every round, many dimensions for few canaries. */
const EASY = {
  name: 'easy',
  seed: 1,
  model: { kind: 'mlp', hidden: [16] },
  data: { kind: 'synthetic-images', population: 8, samplesPerUser: 4, evaluationSamples: 20 },
  local: { steps: 1, batchSize: 4, learningRate: 0.05 },
  federation: { rounds: 4, expectedCohort: 8, workers: 0 },
  optimizer: { kind: 'sgd', learningRate: 0.1 },
  privacy: {
    clipping: { mode: 'dim', bound: 0.1 },
    noise: { multiplier: 4 },
    delta: 1e-5,
    accountant: 'rdp',
    audit: { canaries: 600 },
  },
  evaluation: { every: 4 },
};

interface Printed {
  readonly claimedEpsilon: number | null;
  readonly contradictedBy: string | null;
  readonly lowerBound: { readonly epsilonLower: number };
  readonly estimate: { readonly epsilon: number; readonly epsilonLower: number; readonly mu: number };
}

describeBuilt('the audit of a run', () => {
  let directory: string;
  const path = (...parts: string[]) => join(directory, ...parts);
  const audited = async (run: string) => {
    const { status, stdout, stderr } = await dpfl(['privacy', 'audit', run, '--json']);
    return { status, stderr, audit: JSON.parse(stdout) as Printed };
  };

  beforeAll(async () => {
    directory = temporaryDirectory();
    writeFileSync(path('easy.yaml'), stringify(EASY));
    expect(await dpfl(['run', 'easy.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
  }, PATIENCE);
  afterAll(cleanUp);

  test(
    'right noise: the claim stands, in report and command, and the run verifies',
    async () => {
      const { status, audit } = await audited(path('runs', 'easy-001'));
      expect(status).toBe(0);
      expect(audit.contradictedBy).toBeNull();
      // T/z² with 600 canaries: μ = 1/2 less what their products add, standard error 0.08.
      expect(audit.estimate.mu).toBeGreaterThan(0.2);
      expect(audit.estimate.mu).toBeLessThan(0.8);
      const report = JSON.parse(readFileSync(path('runs', 'easy-001', 'report.json'), 'utf8')) as { audit: unknown };
      expect(report.audit).toEqual(audit);
      expect(readFileSync(path('runs', 'easy-001', 'report.md'), 'utf8')).toContain('does not contradict the claim');
      expect(await dpfl(['verify', path('runs', 'easy-001')])).toMatchObject({ status: 0 });
    },
    PATIENCE,
  );

  test(
    'two workers give the bits of none',
    async () => {
      const options = ['--set', 'federation.workers=2', '--set', 'name=two'];
      expect(await dpfl(['run', 'easy.yaml', ...options], { cwd: directory })).toMatchObject({ status: 0 });
      for (const file of ['audit.json', 'model.onnx']) {
        expect(readFileSync(path('runs', 'two-001', file)).equals(readFileSync(path('runs', 'easy-001', file)))).toBe(
          true,
        );
      }
    },
    PATIENCE,
  );

  test(
    'without noise ε is large, and no claim is contradicted',
    async () => {
      const { noise: _noise, ...privacy } = { ...EASY.privacy, mechanism: 'none' };
      writeFileSync(path('none.yaml'), stringify({ ...EASY, name: 'none', privacy }));
      expect(await dpfl(['run', 'none.yaml'], { cwd: directory })).toMatchObject({ status: 0 });
      const { status, audit } = await audited(path('runs', 'none-001'));
      expect(status).toBe(0);
      expect(audit.claimedEpsilon).toBeNull();
      expect(audit.lowerBound.epsilonLower).toBeGreaterThan(3);
      expect(audit.estimate.epsilonLower).toBeGreaterThan(20);
    },
    PATIENCE,
  );

  test(
    'a ledger that claims twice the noise that was added is contradicted: exit code 1 from the command and from the run',
    async () => {
      const options = ['--set', 'privacy.noise.multiplier=2', '--set', 'name=half'];
      expect(await dpfl(['run', 'easy.yaml', ...options], { cwd: directory })).toMatchObject({ status: 0 });
      const run = path('runs', 'half-001');
      const ledger = readFileSync(join(run, 'ledger.jsonl'), 'utf8');
      writeFileSync(join(run, 'ledger.jsonl'), ledger.replaceAll('"noiseMultiplier":2', '"noiseMultiplier":4'));
      const { status, audit, stderr } = await audited(run);
      expect(status).toBe(1);
      expect(audit.contradictedBy).toBe('estimate');
      expect(stderr).toMatch(/ERROR: the audit CONTRADICTS the claim of epsilon 2/);
      const again = await dpfl(['run', '--resume', run]);
      expect(again.status).toBe(1);
      expect(again.stderr).toMatch(/ERROR: the audit CONTRADICTS/);
      expect(again.stderr).not.toMatch(/ at .*\.js/);
      expect(readFileSync(join(run, 'report.md'), 'utf8')).toContain('CONTRADICTS');
    },
    PATIENCE,
  );

  test(
    'runs without canaries and damaged files end with one line',
    async () => {
      const copy = path('copy');
      cpSync(path('runs', 'easy-001'), copy, { recursive: true });
      expect(await dpfl(['privacy', 'audit', copy, '--confidence', '2'])).toMatchObject({ status: 2 });
      writeFileSync(join(copy, 'audit.json'), '{"round":4,"included":[1],"scores":[0.5]}\n');
      const short = await dpfl(['privacy', 'audit', copy]);
      expect(short).toMatchObject({ status: 2 });
      expect(short.stderr).toMatch(
        /^dpfl: .*audit\.json: does not hold a coin and a score for each of 600 canaries.*\n$/,
      );
      rmSync(join(copy, 'audit.json'));
      expect((await dpfl(['privacy', 'audit', copy])).stderr).toMatch(/audit\.json: cannot be read/);
    },
    PATIENCE,
  );
});
