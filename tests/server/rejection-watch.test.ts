import { describe, expect, test } from '@jest/globals';
import { RejectionWatch } from '../../server/rejection-watch.ts';

const round = (cohort: number, contributed: number) => ({ cohort, totals: { contributed } });

describe('RejectionWatch', () => {
  test('ends a run in which no delta of three rounds is finite', () => {
    const watch = new RejectionWatch();
    watch.check(1, round(20, 0));
    watch.check(2, round(20, 0));
    expect(() => watch.check(3, round(20, 0))).toThrow(
      'round 3: not one of the last 60 client deltas, of 3 rounds, was finite; lower local.learningRate',
    );
  });

  test('one usable delta starts the count anew; empty cohorts say nothing', () => {
    const watch = new RejectionWatch();
    for (const contributed of [0, 0, 1, 0, 0]) watch.check(1, round(20, contributed));
    for (let empty = 0; empty < 9; empty++) watch.check(1, round(0, 0));
    expect(() => watch.check(9, round(1, 0))).toThrow('round 9');
  });

  test('a few unlucky clients in small cohorts are no reason', () => {
    const watch = new RejectionWatch();
    for (let i = 0; i < 9; i++) watch.check(i, round(1, 0));
    expect(() => watch.check(10, round(1, 0))).toThrow();
  });
});
