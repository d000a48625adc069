import { Marked } from 'marked';
import { escapeMarkup } from './escape.ts';
import { reportMarkdown } from './markdown.ts';
import type { Report } from './model.ts';
import { type Chart, svgChart } from './svg-chart.ts';
import type { AccuracySection } from './training.ts';

const STYLE = `
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; font: 16px/1.5 system-ui, sans-serif; color: #222; }
h1 { margin-bottom: 0; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd; padding-bottom: .25rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee; overflow-wrap: anywhere; }
td:first-child { overflow-wrap: normal; }
thead:not(:has(th:not(:empty))) { display: none; }
code { font-size: .9em; }
em { color: #555; }
svg { max-width: 100%; height: auto; }
@media print { h2 { break-after: avoid; } }
`;

/** The report as one self-contained HTML page: that of `reportMarkdown`, with charts under the accuracy. */
export function reportHtml(report: Report): string {
  const marked = new Marked({
    renderer: {
      // Names of layers and data come from users' files: markup in them is text.
      html: ({ text }) => escapeMarkup(text),
    },
  });
  const body = (marked.parse(reportMarkdown(report), { async: false }) as string)
    .replaceAll('<table>', '<div class="scroll"><table>')
    .replaceAll('</table>', '</table></div>');
  const charts = report.accuracy === null ? [] : chartsOf(report.accuracy).map(svgChart);
  const [before, ...after] = body.split(PRIVACY_TITLE);
  return [
    '<!doctype html>',
    '<html lang="en">',
    `<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeMarkup(report.run.name)}</title><style>${STYLE}</style></head>`,
    '<body>',
    before,
    ...charts,
    ...after.map((part) => `${PRIVACY_TITLE}${part}`),
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

const PRIVACY_TITLE = '<h2>Privacy</h2>';

/** What the run is judged by over rounds, and over what it costs in epsilon; a single evaluation makes no chart. */
function chartsOf({ metric, overRounds }: AccuracySection): Chart[] {
  const points = overRounds.flatMap((point) => {
    const value = point[metric.key];
    return value === undefined ? [] : [{ ...point, value: metric.key === 'loss' ? value : 100 * value }];
  });
  if (points.length < 2) return [];
  const y = { label: metric.key === 'loss' ? 'loss' : `${metric.label} in %`, scale: 'linear' } as const;
  const note = 'on held-out examples; not covered by the privacy guarantee';
  const paid = points.flatMap(({ epsilon, value }) => (epsilon === null ? [] : [[epsilon, value] as const]));
  return [
    {
      title: `${y.label} over rounds`,
      note,
      x: { label: 'central step', scale: 'linear' },
      y,
      lines: [{ name: metric.label, points: points.map(({ round, value }) => [round, value] as const) }],
    },
    ...(paid.length < 2
      ? []
      : [
          {
            title: `${y.label} against ε spent`,
            note: `each point is an evaluation; ${note}`,
            x: { label: 'ε so far, at the δ below', scale: 'linear' as const },
            y,
            lines: [{ name: metric.label, points: paid }],
          },
        ]),
  ];
}
