import { type LogMoments, LogSum, log1pExp, logExpm1 } from './rdp-moments.ts';

/** What the bound needs to know of the mechanism on the cohort, when one of its members is replaced. */
export interface ReplacedMember {
  /** (k − 1)·RDP(k) at whole orders */
  readonly logMoment: LogMoments;
  /** Its pure ε; infinite for Gaussian noise. */
  readonly pureEpsilon: number;
  /** log E|p/q − 1|^k at even orders, of a mechanism whose divergences are all largest at one and the same pair; null if not known. */
  readonly logEvenMoment: LogMoments | null;
}

/**
 * log A(α), bounded, of a mechanism on a cohort drawn without replacement when one user is replaced, at a whole order:
 * Wang, Balle & Kasiviswanathan 2019 (arXiv:1808.00087), Theorem 9, and where the mechanism allows it term by term their Theorem 27
 * (the smaller of the two, as in dp_accounting).
 * @param rate cohort / population
 */
export function fixedSizeLogMoment(rate: number, order: number, member: ReplacedMember): number {
  const { logMoment, pureEpsilon, logEvenMoment } = member;
  const logRate = Math.log(rate);
  const logPure = pureEpsilon > 700 ? Number.POSITIVE_INFINITY : Math.log(Math.expm1(pureEpsilon));
  let logBinomial = Math.log(order);
  const excess = new LogSum();
  for (let k = 2; k <= order; k++) {
    logBinomial += Math.log((order - k + 1) / k);
    let term = logMoment(k) + Math.min(Math.LN2, k * logPure);
    if (k === 2) term = Math.min(term, 2 * Math.LN2 + logExpm1(logMoment(2)));
    else if (logEvenMoment !== null) {
      const even = logEvenMoment(2 * Math.floor(k / 2)) + logEvenMoment(2 * Math.ceil(k / 2));
      term = Math.min(term, 2 * Math.LN2 + even / 2);
    }
    excess.add(k * logRate + logBinomial + term);
  }
  return log1pExp(excess.log());
}

/** Below this noise the moments take long and their bound gains nothing. */
const LITTLE_NOISE = 0.05;

/**
 * log E[(e^((2x − 1)/(2z²)) − 1)^k] under x ~ N(0, z²) for even k. The integrand is nowhere negative, so nothing cancels, and entire, so that the
 * trapezoidal rule with steps of z/10 is exact to rounding.
 */
export function gaussianEvenMoments(z: number): LogMoments | null {
  if (z < LITTLE_NOISE) return null;
  const known = new Map<number, number>();
  return (order) => {
    const before = known.get(order);
    if (before !== undefined) return before;
    const step = z / 10;
    const reach = (Math.sqrt(order) + 13) * z;
    const sum = new LogSum();
    for (let x = -reach; x <= order + reach; x += step) {
      const t = (2 * x - 1) / (2 * z * z);
      const logSize = t > 1 ? logExpm1(t) : Math.log(Math.abs(Math.expm1(t)));
      sum.add(order * logSize - (x * x) / (2 * z * z));
    }
    // One part in 1e9 for rounding.
    const value = sum.log() + Math.log(step / (z * Math.sqrt(2 * Math.PI))) + 1e-9;
    known.set(order, value);
    return value;
  };
}
