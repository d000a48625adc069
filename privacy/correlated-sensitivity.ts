import type { MatrixMechanism, Participation, TreeAggregation } from './events.ts';

/**
 * L2 sensitivity, in units of C, of the first `steps` steps of a mechanism whose noise is correlated over steps: how far all that is
 * released moves when the contributions of one user are replaced by zero. With it the mechanism is a Gaussian one, also when data depends on
 * earlier outcomes (Denisov, McMahan, Rush, Smith & Thakurta 2022, Theorem 2.1).
 */
export function correlatedSensitivity(mechanism: TreeAggregation | MatrixMechanism, steps: number): number {
  const participations = Math.min(mechanism.maxParticipations, Math.ceil(steps / mechanism.minSeparation));
  return mechanism.kind === 'treeAggregation'
    ? treeSensitivity(steps, participations, mechanism)
    : matrixSensitivity(mechanism, steps, participations);
}

/**
 * A participation moves one node per level. A node over 2^l leaves holds at most m = ⌈2^l / separation⌉ participations of one user, which add up
 * coherently; the squares are largest with as many full nodes as there are participations for.
 */
function treeSensitivity(steps: number, participations: number, { minSeparation }: Participation): number {
  let squared = 0;
  for (let leaves = 1; leaves <= steps; leaves *= 2) {
    const most = Math.min(participations, Math.ceil(leaves / minSeparation));
    const rest = participations % most;
    squared += ((participations - rest) / most) * most * most + rest * rest;
  }
  return Math.sqrt(squared);
}

function matrixSensitivity(
  { strategy, minSeparation }: MatrixMechanism,
  steps: number,
  participations: number,
): number {
  if (strategy.kind === 'banded') {
    // Columns at least as far apart as there are bands share no row: they are orthogonal (Choquette-Choo et al. 2023). Else the triangle inequality.
    const orthogonal = strategy.bands <= minSeparation;
    return strategy.columnNorm * (orthogonal ? Math.sqrt(participations) : participations);
  }
  const coefficients = strategy.coefficients.slice(0, steps);
  const column = (first: number): number => norm(coefficients.slice(0, steps - first));
  if (coefficients.length <= minSeparation) {
    let squared = 0;
    for (let k = 0; k < participations; k++) squared += column(k * minSeparation) ** 2;
    return Math.sqrt(squared);
  }
  const decreasing = coefficients.every((c, i) => c >= 0 && (i === 0 || c <= coefficients[i - 1]));
  if (!decreasing) return participations * column(0);
  // Kalinin & Lampert 2024, Theorem 2: the worst user takes part at once, and then as often as the separation allows.
  const sum = new Float64Array(steps);
  for (let k = 0; k < participations; k++) {
    const first = k * minSeparation;
    for (let i = first; i < Math.min(steps, first + coefficients.length); i++) sum[i] += coefficients[i - first];
  }
  return norm(sum);
}

function norm(values: ArrayLike<number>): number {
  let squared = 0;
  for (let i = 0; i < values.length; i++) squared += values[i] * values[i];
  return Math.sqrt(squared);
}
