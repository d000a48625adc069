import type { EvaluationRecord } from '../server/records.ts';

/**
 * Epsilon with two significant digits below 100, as a whole number above, in powers of ten from a million on. Epsilon is an upper
 * bound, so it is rounded up.
 */
export function formatEpsilon(epsilon: number): string {
  if (!Number.isFinite(epsilon)) return '∞';
  if (epsilon === 0) return '0';
  const rounded = roundUp(epsilon, epsilon < 1e6 ? Math.max(2, Math.floor(Math.log10(epsilon)) + 1) : 2);
  if (rounded >= 1e6) return rounded.toExponential(1).replace('e+', 'e');
  return rounded < 99.5 ? rounded.toPrecision(2) : String(Math.round(rounded));
}

/** The smallest number of so many significant digits that is not below `value`, but for float error; `value` is positive. */
export function roundUp(value: number, digits: number): number {
  const nearest = Number(value.toPrecision(digits));
  if (!Number.isFinite(value) || nearest >= value * (1 - 1e-12)) return nearest;
  const unit = 10 ** (Math.floor(Math.log10(value)) - digits + 1);
  return Number((nearest + unit).toPrecision(digits));
}

/** The largest number of so many significant digits that is not above `value`, which is not negative. */
export function roundDown(value: number, digits: number): number {
  const nearest = Number(value.toPrecision(digits));
  if (value === 0 || !Number.isFinite(value) || nearest <= value) return nearest;
  return Number((nearest - 10 ** (Math.floor(Math.log10(value)) - digits + 1)).toPrecision(digits));
}

/** A number with a few significant digits and no more: 0.6144, 7.226, 1.3e-7, 12345.7. */
export function significant(value: number, digits = 4): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude < 1e-4 || magnitude >= 1e9) return scientific(value, digits);
  // toPrecision alone would print 12345.7 as 1.235e+4
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(magnitude)));
  return String(Number(value.toFixed(Math.min(decimals, 100))));
}

function scientific(value: number, digits: number): string {
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e');
  return `${Number(mantissa)}e${Number(exponent)}`;
}

/** Counts with groups: 69,506,000. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 3 });
}

/** Bytes as 312 B, 7.9 KiB, 1.67 MiB or 2.4 GiB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${significant(bytes / 1024 ** power, 3)} ${units[power]}`;
}

/** A fraction as a percentage with one decimal: 0.241 → 24.1 %. */
export function formatPercent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}

/** Seconds as 0.8 s, 42 s, 3 min 05 s or 2 h 07 min. */
export function formatDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** Clients per second: two digits are plenty. */
export function formatRate(rate: number): string {
  return rate >= 10 ? String(Math.round(rate)) : rate.toFixed(1);
}

/** The figure a run is judged by: word error rate for transcription, accuracy for classification, else the loss. */
export interface Metric {
  readonly key: 'wer' | 'accuracy' | 'loss';
  readonly label: string;
  readonly lowerIsBetter: boolean;
}

const METRICS: readonly Metric[] = [
  { key: 'wer', label: 'WER', lowerIsBetter: true },
  { key: 'accuracy', label: 'accuracy', lowerIsBetter: false },
  { key: 'loss', label: 'loss', lowerIsBetter: true },
];

/** The metric that `evaluation` carries, by task. */
export function metricOf(evaluation: EvaluationRecord): Metric {
  return METRICS.find(({ key }) => evaluation[key] !== undefined) ?? METRICS[METRICS.length - 1];
}

/** The value of `metric` as text: percentages for rates, plain for the loss; `–` when it was not measured. */
export function formatMetric(metric: Metric, evaluation: EvaluationRecord): string {
  const value = evaluation[metric.key];
  if (value === undefined) return '–';
  return metric.key === 'loss' ? significant(value) : formatPercent(value);
}
