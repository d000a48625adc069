import { PrivacyError } from '../errors.ts';
import { expBounds } from './exp-bounds.ts';
import type { RandomStream } from './stream.ts';

/**
 * Exact draws from the discrete Gaussian and the discrete Laplace distribution on the integers,
 *
 *     P(x) ∝ exp(−x² / (2σ²))        P(x) ∝ exp(−|x| / t),
 *
 * the noise of Canonne, Kamath & Steinke 2020 (arXiv:2004.00010) and of Ghosh, Roughgarden & Sundararajan 2012. "Exact" is meant as
 * there: given ideal random bits, the probabilities are the ones above and not float64 approximations of them. Instead of their
 * chain of geometric draws this is a rejection from a histogram with whole-number weights, which is as fast as a ziggurat:
 *
 * - |x| is cut into 2047 cells of m = 2^k integers and a tail of blocks that halve in weight. A cell is drawn by an alias table of
 *   whole numbers, x uniformly within it; so the proposal's probabilities are exact rationals.
 * - x is kept with probability P(x) / proposal(x), by comparing a uniform U with it. Float64 decides when U is farther from the
 *   quotient than a bound on all float errors (ERROR); otherwise U gets more bits, and `expBounds` decides in integers.
 */
export type DiscreteSampler = (stream: RandomStream) => number;

const CELLS = 2048;
/** Whole-number weight of one column of the alias table; all weights add up to CELLS · COLUMN. */
const COLUMN = 2 ** 24;
/** Blocks of the tail are this many cells wide (a power of two): wide enough that the density more than halves from one to the next. */
const TAIL_WIDTH = 128;
/** Bound on the relative float64 error of density and quotient: a thousand times what IEEE arithmetic and Math.exp leave. */
const ERROR = 2 ** -38;
/** Above every density that float64 rounds to zero. */
const TINY = 2 ** -1000;
const WORD = 2 ** 32;

/** γ(x) of the density exp(−γ(x)), x ≥ 0: in float64, and as an exact fraction. */
interface Exponent {
  readonly approximate: (x: number) => number;
  readonly exact: (x: bigint) => { readonly num: bigint; readonly den: bigint };
}

/** Largest parameter: beyond it draws would need more random bits than they take, and sums might leave 2^53. */
export const LARGEST_SCALE = 2 ** 34;

/**
 * Draws from the discrete Gaussian with parameter σ (its standard deviation to within exp(−2π²σ²)).
 * @param sigma in integer steps; the float64 value is meant exactly
 * @throws PrivacyError unless 0 < sigma ≤ LARGEST_SCALE
 */
export function discreteGaussian(sigma: number): DiscreteSampler {
  requireScale(sigma);
  const { num, den } = fraction(sigma);
  return sampler(sigma, {
    approximate: (x) => ((x / sigma) * (x / sigma)) / 2,
    exact: (x) => ({ num: x * x * den * den, den: 2n * num * num }),
  });
}

/**
 * Draws from the discrete Laplace distribution with scale t.
 * @param scale in integer steps; the float64 value is meant exactly
 * @throws PrivacyError unless 0 < scale ≤ LARGEST_SCALE
 */
export function discreteLaplace(scale: number): DiscreteSampler {
  requireScale(scale);
  const { num, den } = fraction(scale);
  return sampler(scale, {
    approximate: (x) => x / scale,
    exact: (x) => ({ num: x * den, den: num }),
  });
}

function sampler(scale: number, exponent: Exponent): DiscreteSampler {
  // A cell is between 1/128 and 1/64 of the scale, or a single integer.
  const bits = Math.max(0, Math.floor(Math.log2(scale)) - 6);
  const width = 2 ** bits;
  const { approximate } = exponent;
  const { unit, weights } = envelope((cell) => Math.exp(-approximate(cell * width)));
  const { threshold, other } = aliasTable(weights);
  /** U below this accepts every x of the cell: the density at its far edge over the weight, in words. */
  const sure = Float64Array.from(weights, (weight, cell) =>
    cell === CELLS - 1 ? 0 : ((WORD * unit * Math.exp(-approximate((cell + 1) * width))) / weight) * (1 - ERROR) - 1,
  );

  const accept = (x: number, weight: number, u: number, stream: RandomStream): boolean => {
    const density = unit * Math.exp(-approximate(x));
    if (((u + 1) / WORD) * weight <= density * (1 - ERROR) - TINY) return true;
    if ((u / WORD) * weight >= density * (1 + ERROR) + TINY) return false;
    return acceptExactly(x, weight, u, stream);
  };

  /** U · weight < unit · exp(−γ), with more bits of U and of the exponential until they differ. */
  const acceptExactly = (x: number, weight: number, u: number, stream: RandomStream): boolean => {
    const { num, den } = exponent.exact(BigInt(x));
    const share = fraction(weight);
    const proposal = { num: share.num, den: share.den * BigInt(unit) };
    let uniform = BigInt(u);
    for (let digits = 64; ; digits += 32) {
      uniform = (uniform << 32n) | BigInt(stream.int32() >>> 0);
      const { lower, upper } = expBounds(num, den, digits);
      if ((uniform + 1n) * proposal.num <= lower * proposal.den) return true;
      if (uniform * proposal.num >= upper * proposal.den) return false;
    }
  };

  const tail = (stream: RandomStream, offset: number, u: number): number => {
    let block = 0;
    while ((stream.int32() & 1) === 0) block++;
    const cell = CELLS - 1 + TAIL_WIDTH * block + (stream.int32() & (TAIL_WIDTH - 1));
    const x = cell * width + offset;
    return accept(x, (weights[CELLS - 1] * 2 ** -(block + 1)) / TAIL_WIDTH, u, stream) ? x : -1;
  };

  return (stream) => {
    for (;;) {
      const first = stream.int32();
      const second = stream.int32();
      const u = stream.int32() >>> 0;
      const column = first & (CELLS - 1);
      const cell = second >>> 8 < threshold[column] ? column : other[column];
      // 20 bits of the first word and 8 of the second are left for the place within the cell.
      const offset = (((first >>> 12) | ((second & 255) << 20)) & (width - 1)) >>> 0;
      let x = cell * width + offset;
      if (cell === CELLS - 1) x = tail(stream, offset, u);
      else if (u >= sure[cell] && !accept(x, weights[cell], u, stream)) continue;
      const negative = (first & CELLS) !== 0;
      // Zero must not be drawn twice, with either sign.
      if (x < 0 || (x === 0 && negative)) continue;
      return negative ? -x : x;
    }
  };
}

/**
 * Whole-number weights that are at least unit · (largest density of the cell), and for the tail at least what its halving blocks need.
 * @param density at the near edge of a cell
 */
function envelope(density: (cell: number) => number): { readonly unit: number; readonly weights: Float64Array } {
  const densities = Float64Array.from({ length: CELLS }, (_, cell) => density(cell));
  densities[CELLS - 1] *= 2 * TAIL_WIDTH;
  const total = densities.reduce((sum, value) => sum + value, 0);
  const capacity = CELLS * COLUMN;
  // Whole, so that weight / unit is an exact fraction; the subtraction leaves room for rounding every weight up.
  const unit = Math.floor((capacity - 2 * CELLS) / (total * (1 + 2 * ERROR)));
  const weights = densities.map((value) => Math.ceil(unit * value * (1 + ERROR)) || 1);
  // What is left goes where the density is largest; a weight may always be larger than it must.
  weights[0] += capacity - weights.reduce((sum, weight) => sum + weight, 0);
  return { unit, weights };
}

/** Vose's alias method in whole numbers: column i gives cell i below its threshold and another cell above. */
function aliasTable(weights: Float64Array): { readonly threshold: Float64Array; readonly other: Uint16Array } {
  const threshold = weights.slice();
  const other = Uint16Array.from(weights, (_, cell) => cell);
  const small: number[] = [];
  const large: number[] = [];
  for (let cell = 0; cell < CELLS; cell++) (threshold[cell] < COLUMN ? small : large).push(cell);
  for (let low = small.pop(); low !== undefined; low = small.pop()) {
    const high = large[large.length - 1];
    other[low] = high;
    threshold[high] -= COLUMN - threshold[low];
    if (threshold[high] < COLUMN) small.push(large.pop() ?? high);
  }
  return { threshold, other };
}

function requireScale(scale: number): void {
  if (!(scale > 0 && scale <= LARGEST_SCALE)) {
    throw new PrivacyError(`discrete noise: a scale of ${scale} grid steps is not in (0, ${LARGEST_SCALE}]`);
  }
}

/** A positive float64 as the fraction that it is. */
function fraction(value: number): { readonly num: bigint; readonly den: bigint } {
  let shift = 0n;
  let scaled = value;
  for (; !Number.isInteger(scaled); shift++) scaled *= 2;
  return { num: BigInt(scaled), den: 1n << shift };
}
