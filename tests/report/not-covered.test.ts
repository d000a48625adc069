import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { reportMarkdown } from '../../report/markdown.ts';
import { buildReport, type Report } from '../../report/model.ts';
import { readRunFiles } from '../../report/run-files.ts';
import { CONFIG, FINISHED, roundRecord, writeRun } from './run-directory.ts';

/** Sections that the ledger, the configuration and public settings alone decide. All others must carry the mark. */
const COVERED = ['format', 'version', 'run', 'privacy', 'extrapolations'];

let root: string;
let report: Report;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'dpfl-not-covered-'));
  const simulation = { unavailable: 1, lostBeforeTraining: 1, lostAfterTraining: 1, missedDeadline: 1 };
  const traffic = { seconds: 60, downloadBytes: 1e6, uploadBytes: 1e6 };
  const rounds = FINISHED.rounds.map((record) =>
    record.round === 0
      ? record
      : { ...record, infeasibleTargets: 3, faults: { leaseLost: 1 }, simulation: { ...simulation, ...traffic } },
  );
  const config = `${CONFIG}  audit: { canaries: 20 }\nsimulation: {}\n`;
  const run = writeRun(join(root, 'run'), { config, rounds: [...rounds] });
  const included = Array.from({ length: 20 }, (_, i) => i % 2);
  writeFileSync(join(run, 'audit.json'), JSON.stringify({ round: 4, included, scores: included.map((x, i) => x + i) }));
  report = buildReport(await readRunFiles(run));
});
afterAll(() => rmSync(root, { recursive: true }));

test('every section of a report is decided by ledger and settings, or marked as not covered', () => {
  const marked = Object.entries(report).filter(([name]) => !COVERED.includes(name));
  expect(marked.map(([name]) => name).sort()).toEqual([
    'accuracy',
    'audit',
    'cohorts',
    'layers',
    'simulation',
    'timing',
  ]);
  for (const [name, section] of marked) {
    expect([name, section]).toEqual([name, expect.objectContaining({ coveredByDifferentialPrivacy: false })]);
  }
});

test('sections that are not marked do not change with what rounds measured', async () => {
  const rounds = FINISHED.rounds.map((record) =>
    roundRecord(record.round, {
      cohort: 1,
      contributed: 1,
      trainLoss: 77,
      evaluation: { examples: 3, loss: 77, wer: 0.77 },
      layers: { names: ['x'], deltaNorms: [77], clippedFraction: [0.77], signalToNoise: [77] },
      seconds: { total: 77, training: 77, evaluation: 77, server: 77 },
    }),
  );
  const other = buildReport(
    await readRunFiles(writeRun(join(root, 'other'), { config: `${CONFIG}\nsimulation: {}\n`, rounds })),
  );
  for (const name of COVERED as (keyof Report)[]) expect(other[name]).toEqual(report[name]);
});

test('report.md says so under the title of each of these sections', () => {
  const sections = reportMarkdown(report).split(/^## /m).slice(1);
  const said = sections.filter((text) =>
    /^\*.*(Not covered by the privacy guarantee|guarantee below does not cover)/m.test(text),
  );
  expect(said.map((text) => text.split('\n')[0])).toEqual([
    'Accuracy',
    'Empirical audit',
    'Layers',
    'Cohorts',
    'Simulated devices',
    'Timing',
  ]);
});
