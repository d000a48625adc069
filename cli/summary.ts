import { join } from 'node:path';
import { formatCount, formatDuration, formatEpsilon, formatMetric, formatRate, significant } from '../report/format.ts';
import type { Report } from '../report/model.ts';
import { ADJACENCY_WORDS, accountantWords } from '../report/privacy-words.ts';
import { resumeCommand } from './resume-command.ts';

/**
 * The closing lines of a run: accuracy before and after, what is guaranteed, what is only extrapolated, where to look.
 * @param resume the command that continues it
 */
export function summaryLines(report: Report, directory: string, resume = resumeCommand(directory)): string[] {
  const { run, accuracy, privacy, timing } = report;
  const speed = timing.clientsPerSecond === null ? '' : `, ${formatRate(timing.clientsPerSecond)} clients/s`;
  const progress = run.finished
    ? `${run.completedRounds} rounds`
    : `stopped after ${run.completedRounds} of ${run.plannedRounds} rounds`;
  const budget = run.endedByBudget ? '; the next round would exceed privacy.budget' : '';
  const lines: [string, string][] = [
    [run.name, `${progress} in ${formatDuration(timing.totalSeconds)}${speed}${budget}`],
  ];
  if (accuracy) {
    const { metric, before, after } = accuracy;
    lines.push([
      metric.label,
      `${formatMetric(metric, before)} -> ${formatMetric(metric, after)} on ${formatCount(after.examples)} held-out examples`,
    ]);
  }
  if (privacy.guaranteed) {
    const seeded = privacy.noise.source === 'seeded' ? ' (seeded noise: for research, not for release)' : '';
    lines.push(
      ['privacy', `epsilon ${formatEpsilon(privacy.epsilon)} at delta ${significant(privacy.delta)}${seeded}`],
      ['', `adjacency: ${ADJACENCY_WORDS[privacy.adjacency]}`],
      ['', `accountant: ${accountantWords(privacy)}`],
    );
    if (privacy.moments !== null) {
      lines.push(['', `by RDP, as most papers report it: epsilon ${formatEpsilon(privacy.moments.epsilon)}`]);
    }
  } else {
    lines.push(['privacy', `none: ${privacy.reason}`]);
  }
  for (const each of report.extrapolations) {
    lines.push([
      'extrapolated',
      `epsilon ${formatEpsilon(each.statement.epsilon)} if ${formatCount(each.population)} users and cohorts of ${formatCount(each.expectedCohort)} trained alike; not run`,
    ]);
  }
  lines.push(['run', directory], ['report', join(directory, 'report.md')]);
  if (!run.finished && !run.endedByBudget) lines.push(['continue', resume]);
  const width = Math.max(...lines.map(([label]) => label.length));
  return lines.map(([label, text]) => `${label.padEnd(width)}  ${text}`);
}
