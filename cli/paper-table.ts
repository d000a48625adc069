import type { PrivacyEvent } from '../privacy/events.ts';
import { PldAccountant } from '../privacy/pld-accountant.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { formatEpsilon, significant } from '../report/format.ts';

/** Rows printed in arXiv:2310.00098 (δ = 1e-9): language, z, q as printed, T, epsilon as printed. */
export const PAPER_ROWS: readonly (readonly [string, number, number, number, number])[] = [
  ['en', 0.03072, 0.0295, 2006, 1.1e6],
  ['en', 0.3072, 0.0295, 2006, 370],
  ['en', 1.536, 0.0295, 2006, 6.5],
  ['en', 0.02048, 0.0295, 2006, 2.6e6],
  ['en', 1.024, 0.0295, 2006, 13],
  ['en', 2.048, 0.0295, 2006, 4.5],
  ['en', 0.01024, 0.0295, 2006, 1.1e7],
  ['en', 0.512, 0.0295, 2006, 72],
  ['en', 0.003072, 0.0295, 2006, 1.2e8],
  ['en', 0.6144, 0.0295, 2006, 42],
  ['en', 0.6144, 0.00295, 2034, 7.2],
  ['en', 0.6144, 0.000295, 3390, 3.7],
  ['en', 0.001024, 0.0295, 2006, 1.1e9],
  ['en', 0.2048, 0.0295, 2006, 1100],
  ['en', 0.2048, 0.00295, 2034, 270],
  ['en', 0.2048, 0.000295, 3390, 94],
  ['en', 0.1024, 0.0295, 2006, 33000],
  ['en', 5.12, 0.0295, 2006, 1.6],
  ['en', 0.0512, 0.0295, 2006, 350000],
  ['en', 2.56, 0.0295, 2006, 3.5],
  ['en', 0.512, 0.00295, 2034, 13],
  ['en', 2.048, 0.00295, 2006, 0.75],
  ['en', 1.024, 0.00295, 2034, 2.1],
  ['en', 1.024, 0.000295, 3390, 1.2],
  ['en', 0.36864, 0.00295, 2034, 45],
  ['en', 0.36864, 0.000295, 3390, 16],
  ['fr', 2.56, 0.166, 2002, 24],
  ['fr', 2.56, 0.0166, 2013, 1.9],
  ['fr', 0.768, 0.166, 2002, 180],
  ['fr', 0.768, 0.0166, 2013, 14],
  ['fr', 0.768, 0.00553, 1991, 5.5],
  ['de', 2.56, 0.1596, 2002, 23],
  ['de', 2.56, 0.01596, 2016, 1.8],
  ['de', 0.768, 0.1596, 2002, 170],
  ['de', 0.768, 0.01596, 2016, 14],
  ['de', 0.768, 0.00532, 2068, 5.4],
];

const DELTA = 1e-9;

/** One row of the paper beside what the accountants say. */
export interface PaperTableRow {
  readonly language: string;
  readonly noiseMultiplier: number;
  readonly samplingRate: number;
  readonly steps: number;
  readonly printed: number;
  /** RDP, Opacus orders, both conversions. */
  readonly rdp: number;
  /** Certified interval; null where the accountant falls back to RDP, with the reason. */
  readonly pld: { readonly lower: number | null; readonly upper: number } | null;
  readonly fallback?: string;
}

/** The paper's table, accounted anew. */
export function paperTable(): PaperTableRow[] {
  const rdp = new RdpAccountant();
  const pld = new PldAccountant();
  return PAPER_ROWS.map(([language, noiseMultiplier, samplingRate, steps, printed]) => {
    const event: PrivacyEvent = {
      kind: 'selfComposed',
      count: steps,
      event: { kind: 'poissonSampled', samplingRate, event: { kind: 'gaussian', noiseMultiplier } },
    };
    const moments = rdp.epsilon(event, DELTA).epsilon;
    const { epsilon, epsilonLower, fallback } = pld.epsilon(event, DELTA);
    const row = { language, noiseMultiplier, samplingRate, steps, printed, rdp: moments };
    return fallback === undefined
      ? { ...row, pld: { lower: epsilonLower, upper: epsilon } }
      : { ...row, pld: null, fallback };
  });
}

/** For people: an asterisk where PLD is tighter than RDP by more than 1 %. */
export function paperTableText(rows: readonly PaperTableRow[]): string {
  const lines = rows.map((row) => {
    const tighter = row.pld !== null && row.pld.upper < 0.99 * row.rdp;
    return [
      row.language.padEnd(5),
      significant(row.noiseMultiplier, 5).padEnd(9),
      significant(row.samplingRate).padEnd(9),
      String(row.steps).padEnd(6),
      formatEpsilon(row.printed).padStart(8),
      significant(row.rdp).padStart(10),
      (row.pld === null ? '-' : significant(row.pld.upper)).padStart(10),
      tighter ? ' *' : '',
    ].join('');
  });
  const refused = rows.some(({ pld }) => pld === null);
  return [
    `lang ${'z'.padEnd(9)}${'q'.padEnd(9)}${'T'.padEnd(6)}${'printed'.padStart(8)}${'RDP'.padStart(10)}${'PLD'.padStart(10)}`,
    ...lines,
    '',
    `epsilon at delta = 1e-9, upper bounds, with q as printed in arXiv:2310.00098; * PLD is tighter than RDP by more than 1 %`,
    'Extrapolations, not runs: the paper trains with S = 1,024 (English, K = 34,753) and quotes z = sigma_DP * S for larger S and K (section 4.3);',
    'only rows with z = sigma_DP * 1,024 and q = 0.0295 are what was trained.',
    ...(refused ? ['- no privacy-loss distribution for so little noise; RDP stands'] : []),
    '',
  ].join('\n');
}
