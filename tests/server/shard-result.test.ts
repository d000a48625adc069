import { expect, test } from '@jest/globals';
import { RejectedMessage } from '../../server/faults.ts';
import { shardResultOf } from '../../server/shard-result.ts';

type Header = Parameters<typeof shardResultOf>[0];

const header = {
  contributed: 2,
  rejectedNonFinite: 1,
  lossSum: 3,
  examples: 12,
  infeasibleTargets: 1,
  deltaNormSums: [0.5, 2],
  clippedCounts: [0, 2],
  seconds: 4,
  dataSeconds: 1,
  trainingSeconds: 2,
  clippingSeconds: 0.5,
} as unknown as Header;

const result = (changes: Partial<Record<keyof Header, unknown>> = {}, silent = false) =>
  shardResultOf({ ...header, ...changes } as Header, 3, 2, silent, new Float64Array(4));

test('the figures of a shard are taken as they are', () => {
  expect(result()).toMatchObject({
    contributed: 2,
    lossSum: 3,
    examples: 12,
    infeasibleTargets: 1,
    seconds: { total: 4, data: 1, training: 2, clipping: 0.5 },
  });
});

test('a loss that overflowed is no reason to refuse a shard', () => {
  expect(result({ lossSum: Number.POSITIVE_INFINITY }).lossSum).toBe(Number.POSITIVE_INFINITY);
});

test('clients with local noise tell neither loss nor norms', () => {
  const untold = { lossSum: Number.NaN, deltaNormSums: [Number.NaN, Number.NaN] };
  expect(result(untold, true).deltaNormSums).toEqual(Float64Array.of(Number.NaN, Number.NaN));
  expect(() => result(untold)).toThrow(RejectedMessage);
  expect(() => result({ ...untold, seconds: Number.NaN }, true)).toThrow(RejectedMessage);
});

test.each([
  ['contributed', 3, /contributions and 1 rejections for 3 clients/],
  ['deltaNormSums', [1], /statistics of 1 layers where 2 were due/],
  ['deltaNormSums', [1, Number.NaN], /a norm, a count or a time/],
  ['deltaNormSums', [-1, 1], /a norm, a count or a time/],
  ['deltaNormSums', [1, Number.POSITIVE_INFINITY], /a norm, a count or a time/],
  ['clippedCounts', [0, 3], /a count of clipped clients is impossible/],
  ['clippedCounts', [0, 0.5], /a count of clipped clients is impossible/],
  ['seconds', Number.NaN, /a norm, a count or a time/],
  ['dataSeconds', -1, /a norm, a count or a time/],
  ['trainingSeconds', Number.POSITIVE_INFINITY, /a norm, a count or a time/],
] as const)('%s of %s is refused', (field, value, message) => {
  expect(() => result({ [field]: value })).toThrow(RejectedMessage);
  expect(() => result({ [field]: value })).toThrow(message);
});
