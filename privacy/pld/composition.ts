/// <reference path="./fft-js.d.ts" />
import FFT from 'fft.js';
import type { LossGrid } from './discretisation.ts';

// Looked up once: in a virtual-machine context every use of a global costs more than the function.
const { ceil, exp, floor, log, log2, max, min, sqrt } = Math;

/** How often a mechanism ran, and its losses on the common grid. */
export interface GridPart {
  readonly grid: LossGrid;
  readonly count: number;
}

/** The window of composed losses that is computed. */
export interface Window {
  /** λ: the composition is of the distributions with masses p·e^(λ·loss), normalised. */
  readonly lambda: number;
  /** First grid point. */
  readonly low: number;
  /** Number of grid points, a power of two. */
  readonly size: number;
}

/** Exponents for tilting the loss, and for Chernoff's bounds on both tails of the tilted loss; any positive numbers are right. */
export interface Exponents {
  readonly lambda: number;
  readonly thetaLow: number;
  readonly thetaHigh: number;
}

/** Chernoff's bound, as a logarithm, on the tilted mass beyond each end of a window. */
export const LOG_OUTSIDE = 25;

/** Composed masses on the window: P(loss = (low + k)·Δ) = mass[k]·e^(logScale − λ·loss), each mass off by at most `error`. */
export interface ComposedLoss {
  readonly mass: Float64Array;
  readonly logScale: number;
  readonly error: number;
}

/** Half an ulp of 1. */
const UNIT = 2 ** -53;
/** Spectral values below e^−60 are taken as 0; the error bound counts them. */
const NEGLIGIBLE = -60;

/** The window that leaves out at most e^−`LOG_OUTSIDE` of the tilted mass at either end; the cyclic convolution adds that to masses within. */
export function windowAround(parts: readonly GridPart[], interval: number, exponents: Exponents): Window {
  // Steeper exponents would only tell what the grid did to the loss.
  const lambda = min(exponents.lambda, 1 / interval);
  const thetaLow = min(exponents.thetaLow, 1 / interval);
  const thetaHigh = min(exponents.thetaHigh, 1 / interval);
  const moment = (rate: number): number =>
    parts.reduce((sum, { grid, count }) => sum + count * logGridMoment(grid.mass, grid.first, rate * interval), 0);
  const base = moment(lambda);
  const low = floor(-(moment(lambda - thetaLow) - base + LOG_OUTSIDE) / (thetaLow * interval)) - 1;
  const high = ceil((moment(lambda + thetaHigh) - base + LOG_OUTSIDE) / (thetaHigh * interval)) + 1;
  return { lambda, low, size: 2 ** max(4, ceil(log2(high - low))) };
}

/**
 * Composition by FFT of exponentially tilted distributions: tilting by λ and dividing the composition by e^(λ·loss) afterwards leaves it
 * unchanged, but puts the bulk of what the FFT works on where δ(ε) is decided, so that float errors are relative to δ and not to 1, and
 * the window needs to hold no more than that bulk.
 *
 * Error bound: every output of the FFT is a sum of inputs that pass log2 N levels of multiplications and additions, so it is off
 * by at most 8·log2(N)·u·‖input‖₁ (Higham 2002, §24.1, elementwise). With η for that bound on a spectral value φ, φ^T is off by at most (|φ| + η)^T − |φ|^T
 * plus 4·T·u·|φ|^T for computing the power. Averaged over the spectrum this bounds each output of the inverse.
 */
export function composeTilted(parts: readonly GridPart[], interval: number, window: Window): ComposedLoss {
  const { lambda, low, size } = window;
  const fft = transformOf(size);
  const eta = 8 * log2(size) * UNIT;
  const half = size / 2;
  const product = new Float64Array(2 * size);
  const logSize = new Float64Array(half + 1);
  const logBound = new Float64Array(half + 1);
  for (let k = 0; k <= half; k++) product[2 * k] = 1;
  let logScale = 0;
  let steps = 0;
  for (const { grid, count } of parts) {
    const tilted = tilt(grid, interval, lambda);
    logScale += count * tilted.logNormaliser;
    steps += count;
    const folded = new Float64Array(size);
    for (let k = 0; k < tilted.mass.length; k++) folded[modulo(grid.first + k, size)] += tilted.mass[k];
    const spectrum = new Float64Array(2 * size);
    fft.realTransform(spectrum, folded);
    for (let k = 0; k <= half; k++) {
      const re = spectrum[2 * k];
      const im = spectrum[2 * k + 1];
      const magnitude = sqrt(re * re + im * im);
      logSize[k] += count * log(magnitude);
      logBound[k] += count * log(magnitude + eta);
      if (logBound[k] > NEGLIGIBLE) multiplyPower(product, k, re, im, count);
    }
  }
  let error = 0;
  for (let k = 0; k <= half; k++) {
    const twice = k === 0 || k === half ? 1 : 2;
    if (logBound[k] <= NEGLIGIBLE) {
      product[2 * k] = 0;
      product[2 * k + 1] = 0;
      error += twice * 2 * exp(NEGLIGIBLE);
      continue;
    }
    const magnitude = exp(logSize[k]);
    error += twice * (exp(logBound[k]) - magnitude + magnitude * (4 * steps * UNIT + eta));
  }
  fft.completeSpectrum(product);
  const output = new Float64Array(2 * size);
  fft.inverseTransform(output, product);
  const mass = new Float64Array(size);
  for (let k = 0; k < size; k++) mass[k] = output[2 * modulo(low + k, size)];
  return { mass, logScale, error: (1.01 * error) / size };
}

/** Masses p·e^(λ·loss) divided by their sum. */
function tilt(
  { first, mass }: LossGrid,
  interval: number,
  lambda: number,
): { readonly mass: Float64Array; readonly logNormaliser: number } {
  let peak = Number.NEGATIVE_INFINITY;
  const logs = new Float64Array(mass.length);
  for (let k = 0; k < mass.length; k++) {
    logs[k] = mass[k] > 0 ? log(mass[k]) + lambda * (first + k) * interval : Number.NEGATIVE_INFINITY;
    if (logs[k] > peak) peak = logs[k];
  }
  let sum = 0;
  for (let k = 0; k < logs.length; k++) {
    logs[k] = logs[k] - peak < -745 ? 0 : exp(logs[k] - peak);
    sum += logs[k];
  }
  for (let k = 0; k < logs.length; k++) logs[k] /= sum;
  return { mass: logs, logNormaliser: peak + log(sum) };
}

/** log Σ mass[k]·e^(rate·(first + k)) */
export function logGridMoment(mass: Float64Array, first: number, rate: number): number {
  let peak = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < mass.length; k++) {
    if (mass[k] > 0) peak = max(peak, log(mass[k]) + rate * (first + k));
  }
  let sum = 0;
  for (let k = 0; k < mass.length; k++) {
    if (mass[k] > 0) sum += exp(log(mass[k]) + rate * (first + k) - peak);
  }
  return peak + log(sum);
}

/** product[k] ·= (re + i·im)^count, by squaring. */
function multiplyPower(product: Float64Array, k: number, re: number, im: number, count: number): void {
  let baseRe = re;
  let baseIm = im;
  let resultRe = product[2 * k];
  let resultIm = product[2 * k + 1];
  for (let rest = count; rest > 0; rest = floor(rest / 2)) {
    if (rest % 2 === 1) {
      const next = resultRe * baseRe - resultIm * baseIm;
      resultIm = resultRe * baseIm + resultIm * baseRe;
      resultRe = next;
    }
    const square = baseRe * baseRe - baseIm * baseIm;
    baseIm = 2 * baseRe * baseIm;
    baseRe = square;
  }
  product[2 * k] = resultRe;
  product[2 * k + 1] = resultIm;
}

function modulo(index: number, size: number): number {
  const rest = index % size;
  return rest < 0 ? rest + size : rest;
}

const transforms = new Map<number, FFT>();

function transformOf(size: number): FFT {
  const known = transforms.get(size);
  if (known) return known;
  const created = new FFT(size);
  transforms.set(size, created);
  return created;
}
