import type { Report } from './model.ts';

/** The report as JSON text: the `Report` type itself, indented. Infinite epsilon becomes null, JSON has no infinity. */
export function reportJson(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
