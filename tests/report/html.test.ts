import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { reportHtml } from '../../report/html.ts';
import { buildReport } from '../../report/model.ts';
import { readRunFiles } from '../../report/run-files.ts';
import { roundRecord, writeRun } from './run-directory.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'dpfl-html-'));
});
afterAll(() => rmSync(root, { recursive: true }));

async function page(name: string, layer = 'output'): Promise<string> {
  const evaluated = (round: number, wer: number) =>
    roundRecord(round, {
      epsilon: round,
      evaluation: { examples: 10, loss: 3, wer },
      layers: { names: [layer], deltaNorms: [1], clippedFraction: [1], signalToNoise: [1] },
    });
  const rounds = [evaluated(0, 1), evaluated(2, 0.5), evaluated(4, 0.25)];
  const directory = writeRun(join(root, name), { rounds });
  return reportHtml(buildReport(await readRunFiles(directory)));
}

describe('the report as a page', () => {
  test('has every section of the Markdown, and charts of accuracy over rounds and epsilon', async () => {
    const html = await page('plain');
    for (const title of ['What was run', 'Accuracy', 'Privacy', 'Extrapolation', 'Layers', 'Cohorts', 'Timing'])
      expect(html).toContain(`<h2>${title}</h2>`);
    expect(html.match(/<svg /g)).toHaveLength(2);
    expect(html).toContain('WER in % over rounds');
    expect(html).toContain('WER in % against ε spent');
    expect(html.indexOf('<svg ')).toBeGreaterThan(html.indexOf('<h2>Accuracy</h2>'));
    expect(html.indexOf('<svg ')).toBeLessThan(html.indexOf('<h2>Privacy</h2>'));
    expect(html.match(/not covered by the privacy guarantee/gi)!.length).toBeGreaterThan(2);
  });

  test('needs nothing from elsewhere', async () => {
    const html = await page('alone');
    expect(html).not.toMatch(/<script|<link|<img|src=|@import/);
    expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:\/\//);
  });

  test('shows markup in the names of layers as text', async () => {
    const html = await page('hostile', '<img src=x onerror=alert(1)>');
    expect(html).not.toContain('<img');
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });

  test('a run of a single evaluation has no chart', async () => {
    const directory = writeRun(join(root, 'single'), {
      rounds: [roundRecord(0, { evaluation: { examples: 10, loss: 3, wer: 1 } })],
      ledger: [],
    });
    expect(reportHtml(buildReport(await readRunFiles(directory)))).not.toContain('<svg ');
    expect(readFileSync(join(directory, 'rounds.jsonl'), 'utf8')).not.toBe('');
  });
});
