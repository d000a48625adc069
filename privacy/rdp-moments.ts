/** log A(k) of a mechanism at whole orders k ≥ 2: (k − 1)·RDP(k). */
export type LogMoments = (order: number) => number;

/**
 * log A(α) of a Poisson-sampled mechanism at a whole order: A = Σ_k C(α, k) (1−q)^(α−k) q^k exp(logMoment(k)) (Mironov, Talwar & Zhang 2019, §3.3).
 * The binomial weights sum to 1 and the terms k = 0 and 1 have exponent 0, so A − 1 is the sum over k ≥ 2 of the weights times
 * expm1(…): all positive, hence exact to rounding even where A − 1 is 1e-20 and log A itself would drown.
 *
 * It bounds both directions for noise that a reflection x → v − x carries from one neighbour to the other (their Theorem 5): Gaussian, Laplace and,
 * for whole v, discrete Gaussian.
 */
export function sampledLogMoment(q: number, order: number, logMoment: LogMoments): number {
  const logOdds = Math.log(q) - Math.log1p(-q);
  let logWeight = order * Math.log1p(-q);
  const excess = new LogSum();
  for (let k = 1; k <= order; k++) {
    logWeight += Math.log((order - k + 1) / k) + logOdds;
    if (k >= 2) excess.add(logWeight + logExpm1(logMoment(k)));
  }
  return log1pExp(excess.log());
}

/**
 * log A at any order above 1, from whole orders: log A is convex in the order and 0 at order 1, so a chord lies above it.
 * @param atWhole log A, or an upper bound of it, at whole orders
 */
export function chordLogMoment(order: number, atWhole: LogMoments): number {
  const below = Math.floor(order);
  const share = order - below;
  const low = below === 1 ? 0 : atWhole(below);
  return share === 0 ? low : (1 - share) * low + share * atWhole(below + 1);
}

/** A signed sum of numbers given by their logarithms, kept relative to the largest so that nothing overflows. */
export class LogSum {
  #peak = Number.NEGATIVE_INFINITY;
  #sum = 0;

  add(logTerm: number, sign = 1): void {
    if (logTerm === Number.NEGATIVE_INFINITY) return;
    if (logTerm > this.#peak) {
      this.#sum = this.#sum * Math.exp(this.#peak - logTerm) + sign;
      this.#peak = logTerm;
    } else {
      this.#sum += sign * Math.exp(logTerm - this.#peak);
    }
  }

  /** Logarithm of the sum, which must be positive; −∞ of nothing. */
  log(): number {
    return this.#peak + Math.log(this.#sum);
  }
}

/** log(e^x − 1) for x > 0. */
export function logExpm1(x: number): number {
  return x > 1 ? x + Math.log1p(-Math.exp(-x)) : Math.log(Math.expm1(x));
}

/** log(1 + e^x). */
export function log1pExp(x: number): number {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}
