import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { summaryLines } from '../../cli/summary.ts';
import { ConfigError, DataError } from '../../errors.ts';
import { gaussian, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { PldAccountant } from '../../privacy/pld-accountant.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';
import { writeReport } from '../../report/write.ts';
import { checkpointName } from '../../server/checkpoint.ts';
import { CONFIG, type Fixture, ledgerLine, roundRecord, writeRun } from './run-directory.ts';

let root: string;
let count = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'dpfl-report-'));
});
afterAll(() => rmSync(root, { recursive: true }));

function run(changes: Partial<Fixture> = {}): string {
  count += 1;
  return writeRun(join(root, `tiny-${count}`), changes);
}

async function reportOf(changes: Partial<Fixture> = {}) {
  const directory = run(changes);
  const { report } = await writeReport(directory);
  return { directory, report, markdown: readFileSync(join(directory, 'report.md'), 'utf8') };
}

describe('a finished private run', () => {
  test('writes report.json, report.md and report.html; the JSON is the report', async () => {
    const directory = run();
    const { report, files } = await writeReport(directory);
    expect(files).toEqual(['report.json', 'report.md', 'report.html'].map((name) => join(directory, name)));
    expect(JSON.parse(readFileSync(files[0], 'utf8'))).toEqual(report);
    expect(report.run).toMatchObject({ name: 'tiny', seed: 0, finished: true, completedRounds: 4, population: 10000 });
  });

  test('epsilon comes from the ledger, not from the records', async () => {
    const { report } = await reportOf();
    if (!report.privacy.guaranteed) throw new Error('no guarantee');
    const event = selfComposed(poissonSampled(0.01, gaussian(1)), 4);
    expect(report.privacy.epsilon).toBe(new PldAccountant().epsilon(event, 1e-6).epsilon);
    expect(report.privacy.moments).toEqual(new RdpAccountant().epsilon(event, 1e-6));
    expect(report.privacy.epsilonLower).toBeLessThanOrEqual(report.privacy.epsilon);
    const longer = await reportOf({ ledger: [1, 2, 3, 4, 4, 4, 4, 4].map((round) => ledgerLine(round)) });
    if (!longer.report.privacy.guaranteed) throw new Error('no guarantee');
    expect(longer.report.privacy.epsilon).toBeGreaterThan(report.privacy.epsilon);
    expect(longer.report.privacy.steps).toBe(8);
    expect(longer.markdown).toContain('4 central steps ran again after an interruption');
  });

  test('the statement has mechanism, sampling, adjacency, clipping and the noise in three conventions', async () => {
    const { report, markdown } = await reportOf();
    expect(report.privacy).toMatchObject({
      guaranteed: true,
      mechanism: 'gaussian',
      adjacency: 'add-or-remove-one-user',
      steps: 4,
      delta: 1e-6,
      accountant: 'pld',
      sampling: { kind: 'poisson', rate: 0.01, population: 10000, expectedCohort: 100 },
      clipping: { mode: 'dim', bound: 0.1 },
      // z = σ_DP · S = σ_client · sqrt(S)
      noise: { source: 'seeded', multiplier: 1, sigmaDp: 0.01, sigmaClient: 0.1, standardDeviationOnSum: 0.1 },
    });
    expect(markdown).toContain('adding or removing all data of one user');
    expect(markdown).toMatch(/whoever knows the seed can take the noise off/);
    expect(markdown).toMatch(/Hyper-parameter tuning is not accounted/);
    expect(markdown).toMatch(/seed model was trained on public examples/);
  });

  test('extrapolations stand in a section of their own that says they were not run', async () => {
    const { report, markdown } = await reportOf();
    expect(report.extrapolations).toHaveLength(1);
    const [only] = report.extrapolations;
    expect(only).toMatchObject({ kind: 'extrapolation', population: 1000000, noiseMultiplier: 10, rounds: 4 });
    const section = markdown.slice(markdown.indexOf('## Extrapolation'), markdown.indexOf('## Layers'));
    expect(section).toContain('None of these was run');
    expect(section).toContain('1,000,000');
    const privacy = markdown.slice(markdown.indexOf('## Privacy'), markdown.indexOf('## Extrapolation'));
    expect(privacy).not.toContain('1,000,000');
  });

  test('what is not private is marked, in JSON and in Markdown', async () => {
    const { report, markdown } = await reportOf();
    for (const section of [report.accuracy, report.layers, report.cohorts, report.timing]) {
      expect(section?.coveredByDifferentialPrivacy).toBe(false);
    }
    for (const title of ['Layers', 'Cohorts', 'Timing']) {
      expect(markdown).toMatch(new RegExp(`## ${title}\\n\\n\\*Not covered by the privacy guarantee`));
    }
  });

  test('tables are well formed: as many cells as columns, bars in names escaped', async () => {
    const { markdown } = await reportOf();
    const cells = (line: string) => line.replaceAll('\\|', '').split('|').length;
    const tables = markdown.split('\n\n').filter((block) => block.startsWith('|'));
    expect(tables.length).toBeGreaterThanOrEqual(6);
    for (const table of tables) {
      const lines = table.trim().split('\n');
      expect(lines.map(cells)).toEqual(lines.map(() => cells(lines[0])));
    }
    expect(markdown).toContain('w\\|qkv');
    expect(markdown).not.toMatch(/undefined|NaN|\[object/);
  });

  test('manifest values are shown when they are single values, their keys in words', async () => {
    const { report, markdown } = await reportOf();
    const others = { modelFingerprint: 'c0ffee', memoryGiB: '24' };
    expect(report.run.environment).toEqual({ node: 'v20.0.0', processors: '2', ...others });
    expect(markdown).toMatch(/\| model fingerprint +\| c0ffee/);
    expect(markdown).toMatch(/\| memoryGiB +\| 24/);
    expect(report.run.data).toBe('Spoken digits.');
  });

  test('the summary has accuracy, epsilon, the labelled extrapolation and where to look', async () => {
    const { report, directory } = await reportOf();
    const text = summaryLines(report, directory).join('\n');
    expect(text).toContain('90.0 % -> 25.0 %');
    expect(text).toMatch(
      /privacy +epsilon \d.*at delta 1e-6 \(seeded noise: for research, not for release\)\n +adjacency: adding or removing .*\n +accountant: privacy-loss distribution.*\n +by RDP, as most papers report it: epsilon \d/,
    );
    expect(text).toMatch(/extrapolated +epsilon .*not run/);
    expect(text).toContain(join(directory, 'report.md'));
    expect(text).not.toContain('--resume');
  });
});

describe('other runs', () => {
  test('without noise there is no guarantee, no epsilon and no extrapolation', async () => {
    const config = CONFIG.slice(0, CONFIG.indexOf('privacy:')).concat(
      'privacy: { mechanism: none, clipping: { mode: none } }\n',
    );
    const event = { kind: 'nonPrivate', reason: 'no noise' };
    const ledger = [1, 2, 3, 4].map((round) => ({ round, adjacency: 'add-or-remove-one-user', event }));
    const { report, markdown, directory } = await reportOf({ config, ledger });
    expect(report.privacy).toMatchObject({ guaranteed: false });
    expect(report.extrapolations).toEqual([]);
    expect(markdown).toContain('**No differential privacy.**');
    expect(summaryLines(report, directory).join('\n')).toMatch(/privacy +none/);
  });

  test('noise in the configuration does not help when the ledger says there was none', async () => {
    const event = { kind: 'nonPrivate', reason: 'no noise' };
    const ledger = [1, 2, 3, 4].map((round) => ({ round, adjacency: 'add-or-remove-one-user', event }));
    expect((await reportOf({ ledger })).report.privacy).toMatchObject({ guaranteed: false });
  });

  test('a ledger that disagrees with the configuration wins, and the report says so', async () => {
    const { report } = await reportOf({ ledger: [1, 2, 3, 4].map((round) => ledgerLine(round, 0.5)) });
    const own = (await reportOf()).report;
    if (!report.privacy.guaranteed || !own.privacy.guaranteed) throw new Error('no guarantee');
    expect(report.privacy.noise.multiplier).toBe(0.5);
    expect(report.privacy.epsilon).toBeGreaterThan(own.privacy.epsilon);
    expect(report.privacy.caveats.join(' ')).toMatch(/disagrees with config\.yaml/);
  });

  test('a ledger without one of the rounds is refused: epsilon would be too low', async () => {
    const directory = run({ ledger: [1, 2, 4].map((round) => ledgerLine(round)) });
    await expect(writeReport(directory)).rejects.toThrow(/round 3 is missing, so epsilon would be too low/);
  });

  test('records and ledger that lost rounds which a checkpoint proves are refused', async () => {
    const directory = run({ rounds: [], ledger: [] });
    mkdirSync(join(directory, 'checkpoints'));
    writeFileSync(join(directory, 'checkpoints', checkpointName(4)), '');
    await expect(writeReport(directory)).rejects.toThrow(/round 4 is missing, so epsilon would be too low/);
  });

  test('a last ledger line torn by a crash is left out', async () => {
    const directory = run();
    const file = join(directory, 'ledger.jsonl');
    const whole = await writeReport(directory);
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"round":5,"adj`);
    expect((await writeReport(directory)).report.privacy).toEqual(whole.report.privacy);
  });

  test('weights from a file are neither called random nor covered by the guarantee', async () => {
    const config = CONFIG.replace(/^model:.*$/m, 'model: { kind: onnx, path: mine.onnx }').replace(
      /^seedModel.*$/m,
      '',
    );
    const { markdown } = await reportOf({ config });
    expect(markdown).toContain('the weights in mine.onnx');
    expect(markdown).toContain('does not cover the data they were trained on');
    expect(markdown).not.toMatch(/random weights|no other data/);
  });

  test('a data set whose users are not persons says so beside the guarantee', async () => {
    const manifest = { population: 10000, userMeaning: 'A user here is a block of takes, not a person' };
    const { report } = await reportOf({ manifest });
    if (!report.privacy.guaranteed) throw new Error('no guarantee');
    expect(report.privacy.caveats).toContain('A user here is a block of takes, not a person.');
  });

  test('a stopped run says how far it came and how to continue', async () => {
    const { report, markdown, directory } = await reportOf({
      rounds: [roundRecord(0, { cohort: 0, contributed: 0 }), roundRecord(1)],
      ledger: [ledgerLine(1)],
    });
    expect(report.run).toMatchObject({ finished: false, completedRounds: 1, plannedRounds: 4 });
    expect(report.accuracy).toBeNull();
    expect(markdown).toContain('1 of 4, **not finished**');
    expect(summaryLines(report, directory).join('\n')).toContain(`dpfl run --resume ${directory}`);
  });

  test('a run that its budget ended says so, and does not offer to resume', async () => {
    const spent = new PldAccountant().epsilon(selfComposed(poissonSampled(0.01, gaussian(1)), 2), 1e-6).epsilon;
    const stopped = {
      rounds: [roundRecord(0, { cohort: 0, contributed: 0 }), roundRecord(1), roundRecord(2)],
      ledger: [ledgerLine(1), ledgerLine(2)],
    };
    const withBudget = (epsilon: number) =>
      reportOf({
        ...stopped,
        config: CONFIG.replace('delta: 1.0e-6', `delta: 1.0e-6\n  budget: { epsilon: ${epsilon}, delta: 1.0e-6 }`),
      });
    const ended = await withBudget(spent);
    expect(ended.report.run).toMatchObject({ finished: false, endedByBudget: true });
    expect(ended.markdown).toContain('ended by `privacy.budget`');
    const text = summaryLines(ended.report, ended.directory).join('\n');
    expect(text).toContain('the next round would exceed privacy.budget');
    expect(text).not.toContain('--resume');
    const interrupted = await withBudget(10 * spent);
    expect(interrupted.report.run).toMatchObject({ finished: false, endedByBudget: false });
    expect(summaryLines(interrupted.report, interrupted.directory).join('\n')).toContain('--resume');
  });

  test('a run that stopped before its first round has spent nothing', async () => {
    const { report } = await reportOf({ rounds: [roundRecord(0, { cohort: 0, contributed: 0 })], ledger: [] });
    expect(report.privacy).toMatchObject({ guaranteed: true, epsilon: 0, order: null, steps: 0 });
    expect(report.extrapolations).toEqual([]);
    expect(report.cohorts).toBeNull();
  });

  test('a round that was recorded twice counts once, in order', async () => {
    const rounds = [roundRecord(0), roundRecord(1, { cohort: 1 }), roundRecord(2), roundRecord(1, { cohort: 50 })];
    const { report } = await reportOf({ rounds, ledger: [1, 2].map((round) => ledgerLine(round)) });
    expect(report.run.completedRounds).toBe(2);
    expect(report.cohorts?.smallest).toBe(50);
  });
});

describe('directories that cannot be reported', () => {
  test('not a run', async () => {
    await expect(writeReport(join(root, 'nothing'))).rejects.toThrow(ConfigError);
  });

  test.each([
    ['manifest.json', '{', /manifest\.json: cannot be read as JSON/],
    ['manifest.json', '{"population": 0}', /manifest\.json: population/],
    ['rounds.jsonl', '{"round":1\n', /rounds\.jsonl:1/],
  ])('a damaged %s', async (file, content, message) => {
    const directory = run();
    writeFileSync(join(directory, file), content);
    await expect(writeReport(directory)).rejects.toThrow(DataError);
    await expect(writeReport(directory)).rejects.toThrow(message);
  });

  test('a damaged ledger names its line', async () => {
    const directory = run();
    writeFileSync(join(directory, 'ledger.jsonl'), '{"round":1}\n');
    await expect(writeReport(directory)).rejects.toThrow(/ledger line 1/);
  });
});
