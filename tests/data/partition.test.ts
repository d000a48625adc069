import { describe, expect, test } from '@jest/globals';
import { dirichletPartition, iidPartition, shuffled } from '../../data/partition.ts';
import { namedStream } from '../../random/stream.ts';

const stream = (seed: number) => namedStream(seed, 'test-partition');

describe('shuffled', () => {
  test('is a permutation, and each position is equally likely', () => {
    const random = stream(1);
    const sums = new Float64Array(5);
    for (let trial = 0; trial < 1000; trial++) {
      const order = shuffled(5, random);
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4]);
      sums[order.indexOf(0)]++;
    }
    // Each count is binomial(1000, 1/5): deviation 13.
    for (const count of sums) expect(Math.abs(count - 200)).toBeLessThan(63);
  });
});

describe('iidPartition', () => {
  test('gives every user the same number of examples and no example twice', () => {
    const users = iidPartition(107, 10, stream(2));
    expect(users).toHaveLength(10);
    for (const user of users) expect(user).toHaveLength(10);
    expect(new Set(users.flatMap((user) => [...user])).size).toBe(100);
  });

  test('depends on the seed only', () => {
    expect(iidPartition(50, 5, stream(3))).toEqual(iidPartition(50, 5, stream(3)));
    expect(iidPartition(50, 5, stream(3))).not.toEqual(iidPartition(50, 5, stream(4)));
  });
});

describe('dirichletPartition', () => {
  const labels = Int32Array.from({ length: 2000 }, (_, i) => i % 10);
  const share = (user: Int32Array) => {
    const counts = new Float64Array(10);
    for (const example of user) counts[example % 10]++;
    return counts.map((count) => count / user.length);
  };
  /** Expected Σ p² under Dirichlet(α, …, α) with 10 classes is (α + 1) / (10 α + 1). */
  const concentration = (users: Int32Array[]) =>
    users.reduce((sum, user) => sum + share(user).reduce((s, p) => s + p * p, 0), 0) / users.length;

  test.each([0.001, 0.1, 1, 1000])('deals all examples once at alpha %d', (alpha) => {
    const users = dirichletPartition(labels, 10, 50, alpha, stream(5));
    expect(users).toHaveLength(40);
    for (const user of users) expect(user).toHaveLength(50);
    expect(new Set(users.flatMap((user) => [...user])).size).toBe(2000);
  });

  test('a small alpha gives few classes per user, a large one all of them', () => {
    // The first users of many find every class still there, so the theory holds for them up to multinomial noise.
    const many = Int32Array.from({ length: 100_000 }, (_, i) => i % 10);
    for (const alpha of [0.1, 1, 100]) {
      const users = dirichletPartition(many, 10, 50, alpha, stream(6)).slice(0, 600);
      const expected = (alpha + 1) / (10 * alpha + 1);
      expect(concentration(users)).toBeCloseTo(expected + (1 - expected) / 50, 1.5);
    }
  });
});
