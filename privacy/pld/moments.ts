// Looked up once: in a virtual-machine context every use of a global costs more than the function.
const { exp, log, max, sqrt } = Math;

/** A distribution of the privacy loss of one step, and how often the step ran. */
export interface LossPart {
  readonly losses: Float64Array;
  readonly mass: Float64Array;
  readonly count: number;
}

/** Logarithm of the moment generating function of the composed loss at λ, with its first two derivatives: mean and variance of the tilted loss. */
export interface LogMoment {
  readonly value: number;
  readonly mean: number;
  readonly variance: number;
}

export function logMoment(parts: readonly LossPart[], lambda: number): LogMoment {
  let value = 0;
  let mean = 0;
  let variance = 0;
  for (const { losses, mass, count } of parts) {
    let peak = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < mass.length; k++) {
      if (mass[k] > 0) peak = max(peak, lambda * losses[k] + log(mass[k]));
    }
    let sum = 0;
    let first = 0;
    let second = 0;
    for (let k = 0; k < mass.length; k++) {
      if (mass[k] === 0) continue;
      const weight = exp(lambda * losses[k] + log(mass[k]) - peak);
      sum += weight;
      first += weight * losses[k];
    }
    first /= sum;
    for (let k = 0; k < mass.length; k++) {
      if (mass[k] === 0) continue;
      second += exp(lambda * losses[k] + log(mass[k]) - peak) * (losses[k] - first) ** 2;
    }
    value += count * (peak + log(sum));
    mean += count * first;
    variance += (count * second) / sum;
  }
  return { value, mean, variance };
}

/**
 * The λ > 0 of the smallest Chernoff bound ε = (log E[e^(λL)] + log(1/δ)) / λ. At it the tilted mean of the loss is that ε: the
 * tilted distribution has its bulk where δ is decided. Its derivative in λ changes sign once, so bisection of log λ finds it.
 */
export function bestTilt(parts: readonly LossPart[], logInverseDelta: number): number {
  const beyond = (lambda: number): boolean => {
    const { value, mean } = logMoment(parts, lambda);
    return lambda * mean - value > logInverseDelta;
  };
  return bisectLogarithm(beyond);
}

/** The λ > 0 of the smallest Chernoff bound on δ at `epsilon`. */
export function bestTiltAt(parts: readonly LossPart[], epsilon: number): number {
  return bisectLogarithm((lambda) => logMoment(parts, lambda).mean > epsilon);
}

/**
 * A θ > 0 with which `sign`·loss, under the tilt λ, has a small Chernoff bound of e^−logInverse; and the distance from 0 that it reaches.
 */
export function tailEdge(
  parts: readonly LossPart[],
  lambda: number,
  sign: 1 | -1,
  logInverse: number,
): { readonly theta: number; readonly edge: number } {
  const base = logMoment(parts, lambda).value;
  const theta = bisectLogarithm((t) => {
    const { value, mean } = logMoment(parts, lambda + sign * t);
    return sign * t * mean - (value - base) > logInverse;
  });
  return { theta, edge: (sign * (logMoment(parts, lambda + sign * theta).value - base + logInverse)) / theta };
}

/** The positive number at which a monotone condition becomes true, to 1 %. */
function bisectLogarithm(holds: (value: number) => boolean): number {
  let low = 1e-6;
  let high = 1;
  while (high < 1e12 && !holds(high)) {
    low = high;
    high *= 8;
  }
  while (low < high && low === 1e-6 && high > 1e-6 && holds(high / 8)) high /= 8;
  low = max(low, high / 8);
  while (high / low > 1.01) {
    const middle = sqrt(high * low);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
