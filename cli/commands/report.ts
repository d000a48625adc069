import type { Command } from 'commander';

/** `dpfl report <run>`: writes a run's report again from the files in its directory. */
export function addReportCommand(program: Command): void {
  program
    .command('report')
    .argument('<run>', 'run directory, such as runs/quickstart-001')
    .option('--json', 'print report.json on stdout')
    .summary("write a run's report again")
    .description(
      'Writes report.json, report.md and report.html of a run from its config.yaml, manifest.json, rounds.jsonl and ledger.jsonl. ' +
        'Epsilon is computed anew from the ledger, so anyone who has the directory can check it.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl report runs/quickstart-001
  $ dpfl report runs/quickstart-001 --json | jq .privacy.epsilon`,
    )
    .action(async (run: string, options: { json?: boolean }) => {
      const { writeReport } = await import('../../report/write.ts');
      const { report, files } = await writeReport(run);
      if (options.json) {
        const { reportJson } = await import('../../report/json.ts');
        process.stdout.write(reportJson(report));
      } else {
        const { summaryLines } = await import('../summary.ts');
        process.stdout.write(`${[...summaryLines(report, run), ...files.map((file) => `wrote ${file}`)].join('\n')}\n`);
      }
    });
}
