import { escapeMarkup } from './escape.ts';
import { significant } from './format.ts';

/** One axis. */
export interface ChartAxis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
}

/** Points to be joined in their order. */
export interface ChartLine {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A chart of lines. */
export interface Chart {
  readonly title: string;
  /** Under the title: what the reader must know to read it right. */
  readonly note: string;
  readonly x: ChartAxis;
  readonly y: ChartAxis;
  readonly lines: readonly ChartLine[];
}

const WIDTH = 720;
const HEIGHT = 440;
const AREA = { left: 84, right: 690, top: 66, bottom: 376 };
const COLOURS = ['#1f5fa8', '#c2571a', '#3a7d34', '#7a4ba0', '#8a6d00'];

/** The chart as a self-contained SVG document. Points that are not finite, or not positive on a logarithmic axis, are left out. */
export function svgChart({ title, note, x, y, lines }: Chart): string {
  const drawable = ([px, py]: readonly [number, number]): boolean =>
    Number.isFinite(px) && Number.isFinite(py) && (x.scale === 'linear' || px > 0) && (y.scale === 'linear' || py > 0);
  const shown = lines.map((line) => ({ ...line, points: line.points.filter(drawable) }));
  const all = shown.flatMap(({ points }) => points);
  const across = placing(
    x.scale,
    all.map(([value]) => value),
    AREA.left,
    AREA.right,
  );
  const up = placing(
    y.scale,
    all.map(([, value]) => value),
    AREA.bottom,
    AREA.top,
  );
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(AREA.left, 28, title, 'font-size="16" font-weight="600"'),
    text(AREA.left, 48, note, 'font-size="12" fill="#555555"'),
    ...across.ticks.flatMap((tick) => [
      rule(across.at(tick), AREA.top, across.at(tick), AREA.bottom),
      text(across.at(tick), AREA.bottom + 18, tickWords(tick), 'text-anchor="middle"'),
    ]),
    ...up.ticks.flatMap((tick) => [
      rule(AREA.left, up.at(tick), AREA.right, up.at(tick)),
      text(AREA.left - 8, up.at(tick) + 4, tickWords(tick), 'text-anchor="end"'),
    ]),
    text((AREA.left + AREA.right) / 2, AREA.bottom + 42, x.label, 'text-anchor="middle"'),
    `<g transform="translate(22 ${(AREA.top + AREA.bottom) / 2}) rotate(-90)">${text(0, 0, y.label, 'text-anchor="middle"')}</g>`,
    ...shown.flatMap(({ name, points }, index) => {
      const colour = COLOURS[index % COLOURS.length];
      const path = points.map(([px, py]) => `${round(across.at(px))},${round(up.at(py))}`);
      const dots =
        points.length > 40
          ? []
          : path.map((at) => `<circle cx="${at.replace(',', '" cy="')}" r="3" fill="${colour}"/>`);
      const legend =
        lines.length > 1
          ? [text(AREA.right - 6, AREA.top + 18 + 18 * index, name, `text-anchor="end" fill="${colour}"`)]
          : [];
      return [
        `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...dots,
        ...legend,
      ];
    }),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="#222222">`,
    `<title>${escapeMarkup(title)}</title>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** Where values stand between two edges, and the round values to mark. */
function placing(scale: ChartAxis['scale'], values: readonly number[], from: number, to: number) {
  const put = scale === 'log' ? Math.log10 : (value: number) => value;
  const low = values.length === 0 ? 1 : values.reduce((a, b) => Math.min(a, b));
  const high = values.length === 0 ? 10 : values.reduce((a, b) => Math.max(a, b));
  const ticks = scale === 'log' ? logTicks(low, high) : linearTicks(low, high);
  const [first, last] = [put(Math.min(low, ticks[0])), put(Math.max(high, ticks[ticks.length - 1]))];
  const span = last - first || 1;
  return { ticks, at: (value: number) => from + ((put(value) - first) / span) * (to - from) };
}

function linearTicks(low: number, high: number): number[] {
  const raw = (high - low || Math.abs(high) || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= raw) ?? raw;
  const first = Math.floor(low / step + 1e-9);
  const count = Math.ceil(high / step - 1e-9) - first + 1;
  return Array.from({ length: Math.max(2, count) }, (_, i) => (first + i) * step);
}

function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const every = Math.max(1, Math.ceil((last - first) / 8));
  return Array.from({ length: Math.floor((last - first) / every) + 1 }, (_, i) => 10 ** (first + i * every));
}

function tickWords(value: number): string {
  return Math.abs(value) >= 1e5 ? value.toExponential(0).replace('e+', 'e') : significant(value, 3);
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#dddddd"/>`;
}

function text(x: number, y: number, words: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeMarkup(words)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
