/**
 * Natural logarithm of the complementary error function, for all real x, without underflow.
 * Rational Chebyshev approximations of Cody (1969), "Rational Chebyshev approximations for the error function", Math. Comp. 23:
 * erf(x) for |x| ≤ 0.46875, and the scaled function exp(x²)·erfc(x) up to 4 and beyond. Relative error of erfc about 1e-15.
 */
export function logErfc(x: number): number {
  if (Math.abs(x) <= 0.46875) return Math.log1p(-erfNearZero(x));
  if (x > 0) return -x * x + Math.log(scaledErfc(x));
  // erfc(x) = 2 − erfc(−x)
  return Math.log1p(1 - Math.exp(-x * x) * scaledErfc(-x));
}

function erfNearZero(x: number): number {
  const y = x * x;
  const numerator =
    (((0.18577770618460315 * y + 3.1611237438705655) * y + 113.86415415105016) * y + 377.485237685302) * y +
    3209.3775891384694;
  const denominator =
    (((y + 23.601290952344122) * y + 244.02463793444417) * y + 1282.6165260773723) * y + 2844.236833439171;
  return (x * numerator) / denominator;
}

const MIDDLE_NUMERATOR = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769,
  1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const MIDDLE_DENOMINATOR = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
  4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];
const FAR_NUMERATOR = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
  0.0006587491615298378,
];
const FAR_DENOMINATOR = [
  1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918,
];
const INVERSE_SQRT_PI = 0.5641895835477563;

/** exp(x²)·erfc(x) for x ≥ 0. */
export function scaledErfc(x: number): number {
  if (x <= 0.46875) return Math.exp(x * x) * (1 - erfNearZero(x));
  if (x <= 4) return polynomial(MIDDLE_NUMERATOR, x) / polynomial(MIDDLE_DENOMINATOR, x);
  const t = 1 / (x * x);
  return (INVERSE_SQRT_PI - (t * polynomial(FAR_NUMERATOR, t)) / polynomial(FAR_DENOMINATOR, t)) / x;
}

/** Horner's rule, highest power first. */
function polynomial(coefficients: readonly number[], x: number): number {
  let value = 0;
  for (const coefficient of coefficients) value = value * x + coefficient;
  return value;
}
