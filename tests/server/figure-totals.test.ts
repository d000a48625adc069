import { describe, expect, test } from '@jest/globals';
import { namedStream } from '../../random/stream.ts';
import { FigureTotals, type ShardFigures } from '../../server/figure-totals.ts';

/** Figures whose sum in floating point depends on the order of addition. */
function figures(shard: number): ShardFigures {
  const random = namedStream('figures', 'shard', shard);
  const value = () => random.uniform() * 10 ** random.integer(20);
  return {
    contributed: shard,
    rejectedNonFinite: 1,
    lossSum: value(),
    examples: 2 * shard,
    infeasibleTargets: 0,
    deltaNormSums: Float64Array.of(value(), value()),
    clippedCounts: Float64Array.of(shard, 0),
    seconds: { total: value(), data: value(), training: value(), clipping: value() },
  };
}

function totalsOf(order: readonly number[]): FigureTotals {
  const totals = new FigureTotals(2);
  for (const shard of order) totals.add(shard, figures(shard));
  return totals;
}

describe('FigureTotals', () => {
  test('are the same bits in any order of arrival, and the plain sums', () => {
    const inOrder = totalsOf([0, 1, 2, 3, 4]).totals;
    expect(totalsOf([4, 2, 0, 3, 1]).totals).toEqual(inOrder);
    expect(totalsOf([1, 0, 4, 3, 2]).totals).toEqual(inOrder);
    expect(inOrder).toMatchObject({ contributed: 10, rejectedNonFinite: 5, examples: 20 });
    expect([...inOrder.clippedCounts]).toEqual([10, 0]);
    expect(inOrder.lossSum).toBe([0, 1, 2, 3, 4].reduce((sum, shard) => sum + figures(shard).lossSum, 0));
  });

  test('know which shards have come, and the first that has not', () => {
    const totals = totalsOf([0, 2]);
    expect([0, 1, 2, 3].map((shard) => totals.has(shard))).toEqual([true, false, true, false]);
    expect(totals.missing).toBe(1);
    totals.add(1, figures(1));
    expect(totals.missing).toBe(3);
  });

  test('do not keep the arrays of those who wait: they may be used again', () => {
    const totals = new FigureTotals(2);
    const early = figures(1);
    totals.add(1, early);
    early.deltaNormSums.fill(Number.NaN);
    totals.add(0, figures(0));
    expect(totals.totals.deltaNormSums[0]).toBe(figures(0).deltaNormSums[0] + figures(1).deltaNormSums[0]);
  });
});
