import { describe, expect, test } from '@jest/globals';
import type { ShardResult } from '../../client/shard.ts';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { namedStream } from '../../random/stream.ts';
import { pseudoGradient, RoundAggregator } from '../../server/aggregation.ts';

const layout = new ParameterLayout([
  { name: 'w', shape: [3, 2] },
  { name: 'b', shape: [2] },
]);

/** A shard whose statistics do not add exactly and whose sum is near the limit of exactness. */
function shardResult(index: number, clients: number): ShardResult {
  const random = namedStream(1, 'aggregation', index);
  return {
    sum: Float64Array.from({ length: layout.size }, () => random.integer(2 ** 48) * (random.uniform() < 0.5 ? -1 : 1)),
    contributed: clients,
    rejectedNonFinite: 0,
    lossSum: random.uniform() * 10 ** random.integer(8),
    examples: random.integer(100),
    infeasibleTargets: 0,
    deltaNormSums: Float64Array.from(layout.layers, () => random.uniform() * 10 ** random.integer(8)),
    clippedCounts: Float64Array.from(layout.layers, () => random.integer(clients + 1)),
    seconds: { total: random.uniform(), data: random.uniform(), training: 0, clipping: 0 },
  };
}

const shards = Array.from({ length: 12 }, (_, index) => [3 * index, 3 * index + 1, 3 * index + 2]);
const results = shards.map((shard, index) => shardResult(index, shard.length));

function totalsInOrder(order: readonly number[]) {
  const aggregator = new RoundAggregator(layout);
  aggregator.begin(shards);
  for (const index of order) aggregator.add(index, results[index]);
  return aggregator.finish();
}

describe('RoundAggregator', () => {
  test('totals are bit-identical whatever the order of arrival', () => {
    const inOrder = totalsInOrder(shards.map((_, index) => index));
    for (let repeat = 0; repeat < 20; repeat++) {
      const random = namedStream(2, 'order', repeat);
      const order = shards.map((_, index) => ({ index, key: random.uniform() })).sort((a, b) => a.key - b.key);
      expect(totalsInOrder(order.map(({ index }) => index))).toEqual(inOrder);
    }
  });

  test('the sum is the exact integer sum', () => {
    const { sum } = totalsInOrder(shards.map((_, index) => index));
    for (let i = 0; i < layout.size; i++) {
      const exact = results.reduce((total, result) => total + BigInt(result.sum[i]), 0n);
      expect(BigInt(sum[i])).toBe(exact);
    }
  });

  test('the sender may reuse its buffers', () => {
    const aggregator = new RoundAggregator(layout);
    aggregator.begin([[0], [1]]);
    const shared = shardResult(0, 1);
    aggregator.add(0, shared);
    const expected = shared.deltaNormSums.map((value) => 2 * value);
    shared.deltaNormSums.fill(0);
    aggregator.add(1, shardResult(0, 1));
    shared.sum.fill(0);
    expect(aggregator.finish().deltaNormSums).toEqual(expected);
  });

  test('a new round starts from zero', () => {
    const aggregator = new RoundAggregator(layout);
    aggregator.begin([[0]]);
    aggregator.add(0, shardResult(0, 1));
    aggregator.begin([]);
    expect(aggregator.finish()).toEqual({
      sum: new Float64Array(layout.size),
      contributed: 0,
      rejectedNonFinite: 0,
      lossSum: 0,
      examples: 0,
      infeasibleTargets: 0,
      deltaNormSums: new Float64Array(2),
      clippedCounts: new Float64Array(2),
      seconds: { total: 0, data: 0, training: 0, clipping: 0 },
    });
  });

  test('a shard that is missing, double, unknown or does not fit is refused', () => {
    const aggregator = new RoundAggregator(layout);
    aggregator.begin([[0], [1]]);
    aggregator.add(0, shardResult(0, 1));
    expect(() => aggregator.finish()).toThrow('shard 1 of 2 never arrived');
    expect(() => aggregator.add(0, shardResult(0, 1))).toThrow('delivered twice');
    expect(() => aggregator.add(2, shardResult(2, 1))).toThrow('not part of this round');
    expect(() => aggregator.add(1, shardResult(1, 2))).toThrow('but the shard has 1');
    const short = { ...shardResult(1, 1), sum: new Float64Array(3) };
    expect(() => aggregator.add(1, short)).toThrow('different models');
  });
});

describe('a sum that is not made of clipped deltas', () => {
  const shard = (sum: number[]): ShardResult => ({
    ...shardResult(0, 2),
    sum: Float64Array.from(sum),
    contributed: 2,
  });
  const aggregator = (clientNorm?: number) => {
    const created = new RoundAggregator(layout);
    created.begin([[1, 2]], { clientNorm });
    return created;
  };

  test('is refused when it is longer than its clients together can make it', () => {
    const tooLong = [6, 0, 0, 0, 0, 0, 0, 9]; // norm √117 > 2 · 5
    expect(() => aggregator(5).add(0, shard(tooLong))).toThrow('larger than 2 clipped deltas can be');
    expect(() => aggregator().add(0, shard(tooLong))).not.toThrow();
  });

  test('is taken up to the bound itself', () => {
    expect(() => aggregator(5).add(0, shard([6, 0, 0, 0, 0, 0, 0, 8]))).not.toThrow();
  });
});

describe('pseudoGradient', () => {
  test('divides by the expected cohort, whatever number came', () => {
    const grid = new ExactGrid(2 ** -10);
    const into = new Float32Array(2);
    pseudoGradient(Float64Array.of(1024, -3072), grid, 4, into);
    expect([...into]).toEqual([0.25, -0.75]);
  });
});
