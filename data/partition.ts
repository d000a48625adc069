import { standardNormal } from '../random/normal.ts';
import type { RandomStream } from '../random/stream.ts';

/** A random order of 0 … count−1 (Fisher–Yates). */
export function shuffled(count: number, random: RandomStream): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * Deals `examples` at random to as many users as get exactly `perUser` each; what is left over is not used.
 * @returns the indices of each user's examples
 */
export function iidPartition(examples: number, perUser: number, random: RandomStream): Int32Array[] {
  const order = shuffled(examples, random);
  const users = Math.floor(examples / perUser);
  return Array.from({ length: users }, (_, user) => order.slice(user * perUser, (user + 1) * perUser));
}

/**
 * Deals examples so that each user has its own mix of classes, drawn from a symmetric Dirichlet distribution (Hsu, Qi & Brown,
 * arXiv:1909.06335). Examples are drawn without replacement; a class that has run out is skipped from then on.
 * As many users as get exactly `perUser` examples each.
 */
export function dirichletPartition(
  labels: ArrayLike<number>,
  classes: number,
  perUser: number,
  alpha: number,
  random: RandomStream,
): Int32Array[] {
  const pools: number[][] = Array.from({ length: classes }, () => []);
  for (const example of shuffled(labels.length, random)) pools[labels[example]].push(example);
  const users = Math.floor(labels.length / perUser);
  return Array.from({ length: users }, () => {
    const mix = dirichlet(classes, alpha, random);
    return Int32Array.from({ length: perUser }, () => pools[drawClass(mix, pools, random)].pop()!);
  });
}

/** A class that still has examples, with probability in proportion to `mix`; by what is left when the mix has nothing left. */
function drawClass(mix: Float64Array, pools: readonly number[][], random: RandomStream): number {
  let weights = pools.map((pool, label) => (pool.length > 0 ? mix[label] : 0));
  let total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total <= 0) {
    weights = pools.map((pool) => pool.length);
    total = weights.reduce((sum, weight) => sum + weight, 0);
  }
  let draw = random.uniform() * total;
  let chosen = -1;
  for (let label = 0; label < weights.length; label++) {
    if (weights[label] <= 0) continue;
    chosen = label;
    draw -= weights[label];
    if (draw < 0) break;
  }
  return chosen;
}

/** Class proportions from Dirichlet(alpha, …, alpha). Computed with logarithms: for small alpha most gammas underflow. */
function dirichlet(classes: number, alpha: number, random: RandomStream): Float64Array {
  const logs = Float64Array.from({ length: classes }, () => logGamma(alpha, random));
  const top = logs.reduce((largest, value) => Math.max(largest, value), Number.NEGATIVE_INFINITY);
  const mix = logs.map((value) => Math.exp(value - top));
  const total = mix.reduce((sum, value) => sum + value, 0);
  return mix.map((value) => value / total);
}

/** Logarithm of a Gamma(shape, 1) draw: Marsaglia & Tsang (2000), for shapes below 1 by way of shape + 1. */
function logGamma(shape: number, random: RandomStream): number {
  if (shape < 1) return logGamma(shape + 1, random) + Math.log(1 - random.uniform()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = standardNormal(random);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}
