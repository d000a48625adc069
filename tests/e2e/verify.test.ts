import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { verifyRun } from '../../cli/verify.ts';
import type { Finding } from '../../report/finding.ts';
import { describeBuilt, dpfl } from '../support/command-line.ts';
import { cleanUp, temporaryDirectory, tinyDirectory } from './support/tiny-run.ts';

const PATIENCE = 90_000;

const wrong = (findings: readonly Finding[]) =>
  findings.filter(({ status }) => status === 'mismatch').map(({ place, message }) => `${place}: ${message}`);

describeBuilt('dpfl verify', () => {
  let run: string;

  beforeAll(async () => {
    const directory = tinyDirectory({ checkpoint: { every: 1, keep: 2 } });
    const options = ['--set', 'federation.workers=0'];
    expect(await dpfl(['run', 'tiny.yaml', ...options], { cwd: directory })).toMatchObject({ status: 0 });
    run = join(directory, 'runs', 'tiny-001');
  }, PATIENCE);
  afterAll(cleanUp);

  /** A copy of the run with one file changed; the function gets its bytes. */
  function tampered(file: string, change: (content: Buffer) => Buffer | string): string {
    const copy = join(temporaryDirectory(), 'tampered');
    cpSync(run, copy, { recursive: true });
    writeFileSync(join(copy, file), change(readFileSync(join(copy, file))));
    return copy;
  }

  const edited = (file: string, from: string | RegExp, to: string) =>
    tampered(file, (content) => {
      const text = content.toString();
      expect(text.replace(from, to)).not.toBe(text);
      return text.replace(from, to);
    });

  const flipped = (file: string, at: number) =>
    tampered(file, (content) => {
      content[at < 0 ? content.length + at : at] ^= 1;
      return content;
    });

  test(
    'an honest run: everything fits, a round done again gives the same bits, exit code 0',
    async () => {
      const { status, stdout } = await dpfl(['verify', run]);
      expect(stdout).not.toMatch(/MISMATCH|unchecked/);
      expect(stdout).toMatch(/^ok +epsilon: 3\.7 at δ = 0\.0001 by the ledger/m);
      expect(stdout).toMatch(/^ok +replay: round 3, from the checkpoint of round 2: same parameters, bit for bit/m);
      expect(status).toBe(0);
    },
    PATIENCE,
  );

  test('a run of other versions is verified, with the remark that a replay may differ', async () => {
    const elsewhere = edited('manifest.json', /"onnxruntime": "[^"]*"/, '"onnxruntime": "1.0.0"');
    // It names the version, too.
    rmSync(join(elsewhere, 'report.json'));
    const findings = await verifyRun(elsewhere);
    expect(wrong(findings)).toEqual([]);
    expect(findings).toContainEqual({
      status: 'unchecked',
      place: 'manifest.json',
      message: expect.stringMatching(/^another version of onnxruntime .* the last bits of a replay may differ$/),
    });
  });

  test(
    'a run by the default accountant, PLD: summary, report and records state its upper end, and it is verified from the ledger',
    async () => {
      const privacy = { clipping: { mode: 'dim', bound: 0.1 }, noise: { multiplier: 0.5 }, delta: 1e-4 };
      const federation = {
        rounds: 3,
        expectedCohort: 10,
        sampling: 'poisson',
        weighting: { kind: 'examples', maxWeight: 2 },
      };
      const directory = tinyDirectory({ privacy, federation });
      const ended = await dpfl(['run', 'tiny.yaml', '--set', 'federation.workers=0'], { cwd: directory });
      expect(ended).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/accountant: privacy-loss distribution/),
      });
      const path = join(directory, 'runs', 'tiny-001');
      const report = JSON.parse(readFileSync(join(path, 'report.json'), 'utf8'));
      expect(report.privacy).toMatchObject({ accountant: 'pld', steps: 3, moments: { accountant: 'rdp' } });
      expect(report.privacy.epsilonLower).toBeLessThan(report.privacy.epsilon);
      expect(report.privacy.epsilon).toBeLessThan(report.privacy.moments.epsilon);
      const { status, stdout } = await dpfl(['verify', path]);
      expect(stdout).not.toMatch(/MISMATCH|unchecked/);
      expect(stdout).toMatch(/^ok +replay: .* bit for bit/m);
      expect(status).toBe(0);
    },
    PATIENCE,
  );

  test(
    'a mismatch names file and line, and exits with 1; --json says the same',
    async () => {
      const { status, stdout } = await dpfl([
        'verify',
        edited('ledger.jsonl', '"samplingRate":0.008', '"samplingRate":0.004'),
        '--json',
      ]);
      expect(status).toBe(1);
      const findings = JSON.parse(stdout) as Finding[];
      expect(findings).toContainEqual(expect.objectContaining({ status: 'mismatch', place: 'ledger.jsonl:1' }));
    },
    PATIENCE,
  );

  test(
    'a round that cannot be replayed, or a directory without a run, is a mistake of the caller: exit code 2',
    async () => {
      await expect(verifyRun(run, 1)).rejects.toThrow(
        '--round 1: there is no checkpoint before it; rounds 3 to 3 can be replayed',
      );
      await expect(verifyRun(run, 4)).rejects.toThrow('--round 4: the run ends with round 3');
      await expect(verifyRun(temporaryDirectory())).rejects.toThrow('no run here');
    },
    PATIENCE,
  );

  test.each<[string, () => string, RegExp]>([
    [
      'a ledger with less noise than was used',
      () => edited('ledger.jsonl', '"noiseMultiplier":0.5', '"noiseMultiplier":0.9'),
      /^rounds\.jsonl:2: states epsilon/,
    ],
    [
      'a ledger that lacks a round',
      () => edited('ledger.jsonl', /^.*"round":2.*\n/m, ''),
      /ledger\.jsonl: round 2 is missing/,
    ],
    [
      'a ledger that lacks the last round',
      () => edited('ledger.jsonl', /^.*"round":3.*\n/m, ''),
      /ledger\.jsonl: round 3 is missing/,
    ],
    [
      'a ledger with a line that is no event',
      () => edited('ledger.jsonl', 'poissonSampled', 'harmless'),
      /ledger line 1/,
    ],
    [
      'a smaller epsilon in a record',
      () => edited('rounds.jsonl', /"epsilon":3\.\d+/, '"epsilon":0.1'),
      /^rounds\.jsonl:\d: states epsilon 0\.1/,
    ],
    [
      'a smaller epsilon in the report',
      () => edited('report.json', /"epsilon": 3\.\d+/, '"epsilon": 0.1'),
      /^report\.json: .*epsilon is not what/,
    ],
    [
      'a record that was dropped',
      () => edited('rounds.jsonl', /^.*"round":1.*\n/m, ''),
      /^rounds\.jsonl:2: round 2 stands where round 1 is due/,
    ],
    [
      'a checkpoint with a flipped bit',
      () => flipped('checkpoints/round-000003.ckpt', 5000),
      /^checkpoints\/round-000003\.ckpt: .*SHA-256/,
    ],
    [
      'other settings',
      () => edited('config.yaml', 'learningRate: 0.2', 'learningRate: 0.3'),
      /^config\.yaml: its settings are not those of checkpoints/,
    ],
    [
      'another population',
      () => edited('manifest.json', '"population": 1000', '"population": 100000'),
      /^(rounds\.jsonl|manifest\.json)/,
    ],
    ['a model with other weights', () => flipped('model.onnx', -2000), /^model\.onnx: /],
    [
      'parameters of another hash',
      () => edited('rounds.jsonl', /("round":3.*"parametersSha256":")./, '$1x'),
      /^checkpoints\/round-000003\.ckpt: holds parameters/,
    ],
  ])(
    '%s is found',
    async (_, make, expected) => {
      const found = wrong(await verifyRun(make()));
      expect(found.some((line) => expected.test(line))).toBe(true);
    },
    PATIENCE,
  );

  test(
    'figures that only a replay can check are found by it',
    async () => {
      const copy = edited('rounds.jsonl', /("round":3.*"trainLoss":)\d+/, '$19');
      expect(wrong(await verifyRun(copy, 3))).toContainEqual(
        'rounds.jsonl:4: trainLoss of round 3 is not what a replay from round 2 gives',
      );
    },
    PATIENCE,
  );

  test(
    'noise that was not kept cannot be replayed, and that is said',
    async () => {
      const directory = tinyDirectory();
      const options = ['--set', 'federation.workers=0', '--set', 'privacy.noiseSource=cryptographic'];
      await dpfl(['run', 'tiny.yaml', ...options], { cwd: directory });
      const findings = await verifyRun(join(directory, 'runs', 'tiny-001'));
      expect(wrong(findings)).toEqual([]);
      expect(findings.at(-1)).toMatchObject({ status: 'unchecked', place: 'replay' });
      expect(findings.at(-1)?.message).toContain('nobody can repeat a round');
    },
    PATIENCE,
  );
});
