/**
 * A(α) − 1 of the Poisson-sampled Gaussian mechanism by quadrature, where the series of `rdp.ts` cancels (moments close to 1)
 * or hardly converges (much noise).
 *
 * With y = q·(exp((2x − 1)/(2z²)) − 1), which has mean 0 under x ~ N(0, z²), A − 1 is the mean of (1 + y)^α − 1 − α·y.
 * That is nowhere negative, so nothing cancels. The trapezoidal rule converges exponentially for it: the nearest
 * singularity lies π·z² off the real axis, and the step is chosen so that the error is about e^-33 of the result.
 * @param q sampling rate in (0, 1)
 * @param z noise multiplier
 * @param order α > 1
 */
export function momentExcess(q: number, z: number, order: number): number {
  const variance = z * z;
  const step = Math.min(0.35 * z, 0.6 * variance);
  const start = -13 * z;
  // The mass sits around x = 2 where (1 + y)^α is quadratic and around x = α where it is a power.
  const count = Math.ceil((Math.max(2, order) + 26 * z) / step);
  const logQ = Math.log(q);
  let sum = 0;
  for (let i = 0; i <= count; i++) {
    const x = start + i * step;
    sum += weightedRemainder(q, logQ, order, (2 * x - 1) / (2 * variance), (-x * x) / (2 * variance));
  }
  return (sum * step) / (z * Math.sqrt(2 * Math.PI));
}

/** e^logDensity · ((1 + y)^α − 1 − α·y) for y = q·(e^t − 1). */
function weightedRemainder(q: number, logQ: number, order: number, t: number, logDensity: number): number {
  // Beyond e^40 the 1 in 1 + y is lost anyway, and y itself may overflow where its weighted powers do not.
  if (t + logQ > 40) {
    const logY = t + logQ;
    return Math.exp(order * logY + logDensity) - order * Math.exp(logY + logDensity);
  }
  const y = q * Math.expm1(t);
  const density = Math.exp(logDensity);
  if (Math.abs(y) > 0.05) return density * (Math.expm1(order * Math.log1p(y)) - order * y);
  let term = (order * (order - 1) * y * y) / 2;
  let remainder = term;
  for (let k = 3; Math.abs(term) > 1e-17 * remainder; k++) {
    term *= ((order - k + 1) * y) / k;
    remainder += term;
  }
  return density * remainder;
}
