import { PrivacyError } from '../errors.ts';
import { logErfc } from './log-erfc.ts';
import { LogSum, sampledLogMoment } from './rdp-moments.ts';
import { momentExcess } from './rdp-quadrature.ts';

/**
 * Rényi differential privacy of the Poisson-sampled Gaussian mechanism, adding or removing one user: sensitivity 1, noise of standard
 * deviation z, each user sampled with probability q. RDP(α) = log A(α) / (α − 1), where
 * A(α) = E over x ~ N(0, z²) of (1 − q + q·exp((2x − 1)/(2z²)))^α.
 * Source: Mironov, Talwar & Zhang 2019, "Rényi differential privacy of the sampled Gaussian mechanism", §3.3, as in Opacus.
 * @param order α > 1, integer or fractional
 * @throws PrivacyError when q is outside [0, 1], z is not positive (or beyond 1e±100), or the order is not above 1
 */
export function rdpSampledGaussian(samplingRate: number, noiseMultiplier: number, order: number): number {
  if (!(samplingRate >= 0 && samplingRate <= 1)) {
    throw new PrivacyError(`RDP: the sampling rate must be in [0, 1], got ${samplingRate}`);
  }
  // Beyond this range z² leaves float64.
  if (!(noiseMultiplier >= 1e-100 && noiseMultiplier <= 1e100)) {
    throw new PrivacyError(`RDP: the noise multiplier must be in [1e-100, 1e100], got ${noiseMultiplier}`);
  }
  if (!(order > 1) || !Number.isFinite(order)) {
    throw new PrivacyError(`RDP: orders must be finite and above 1, got ${order}`);
  }
  if (samplingRate === 0) return 0;
  if (samplingRate === 1) return order / (2 * noiseMultiplier * noiseMultiplier);
  const logMoment = Number.isInteger(order)
    ? sampledLogMoment(samplingRate, order, (k) => (k * k - k) / (2 * noiseMultiplier * noiseMultiplier))
    : logMomentFractional(samplingRate, noiseMultiplier, order);
  return logMoment / (order - 1);
}

/** Terms below e^-30 of A ≥ 1 are dropped; they alternate in sign, so what is left out is smaller still. */
const NEGLIGIBLE = -30;
/** Below it, the alternating series of A loses too many digits of A − 1. */
const SMALL = 1e-4;
/** Above this noise the series takes up to millions of terms (like i^(−α−1) for q = 1/2), the quadrature a hundred points. */
const LARGE_NOISE = 4;
/** Below this order e^(α²/(2z²)) of the quadrature stays far from overflow at large noise. */
const MODERATE_ORDER = 100;

/**
 * log A(α) for a fractional order: the integral is split at z0, where both parts of the mixture are equal, and each side is expanded
 * in its own binomial series. The generalised binomials change sign beyond α; dropping the signs over-estimates up to threefold.
 */
function logMomentFractional(q: number, z: number, order: number): number {
  if (z > LARGE_NOISE && order < MODERATE_ORDER) return Math.log1p(momentExcess(q, z, order));
  const logQ = Math.log(q);
  const logRest = Math.log1p(-q);
  const twiceVariance = 2 * z * z;
  const z0 = z * z * (logRest - logQ) + 0.5;
  const width = Math.SQRT2 * z;
  const moment = new LogSum();
  let coefficient = 1;
  for (let i = 0; ; i++) {
    const j = order - i;
    const logCoefficient = Math.log(Math.abs(coefficient)) - Math.LN2;
    const lower = logCoefficient + i * logQ + j * logRest + (i * i - i) / twiceVariance + logErfc((i - z0) / width);
    const upper = logCoefficient + j * logQ + i * logRest + (j * j - j) / twiceVariance + logErfc((z0 - j) / width);
    moment.add(lower, Math.sign(coefficient));
    moment.add(upper, Math.sign(coefficient));
    if (Math.max(lower, upper) < NEGLIGIBLE) break;
    coefficient *= j / (i + 1);
  }
  const logMoment = moment.log();
  return logMoment > SMALL ? logMoment : Math.log1p(momentExcess(q, z, order));
}
