import { join } from 'node:path';
import { writeAtomically } from '../server/durable-files.ts';
import { reportHtml } from './html.ts';
import { reportJson } from './json.ts';
import { reportMarkdown } from './markdown.ts';
import { buildReport, type Report } from './model.ts';
import { readRunFiles } from './run-files.ts';

/**
 * Builds the report of the run in `directory` from its files and writes report.json, report.md and report.html into it.
 * @returns the report and the files that were written
 * @throws ConfigError when there is no run at `directory`; DataError when its files are damaged
 */
export async function writeReport(directory: string): Promise<{ report: Report; files: string[] }> {
  const report = buildReport(await readRunFiles(directory));
  const contents = {
    'report.json': reportJson(report),
    'report.md': reportMarkdown(report),
    'report.html': reportHtml(report),
  };
  const files: string[] = [];
  for (const [name, content] of Object.entries(contents)) {
    const file = join(directory, name);
    await writeAtomically(file, [content]);
    files.push(file);
  }
  return { report, files };
}
