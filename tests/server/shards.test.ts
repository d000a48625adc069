import { describe, expect, test } from '@jest/globals';
import { standardNormal } from '../../random/normal.ts';
import { namedStream } from '../../random/stream.ts';
import { ShardPlanner } from '../../server/shard-planner.ts';
import { planShards, type ShardSettings } from '../../server/shards.ts';

const settings: ShardSettings = {
  work: () => 1,
  workers: 2,
  mostClients: Number.POSITIVE_INFINITY,
  mostWork: Number.POSITIVE_INFINITY,
};

function ids(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 3 * i);
}

/** Seconds until the last of `workers` is done, when each takes the next shard as it becomes free. */
function makespan(shards: readonly (readonly number[])[], work: (id: number) => number, workers: number): number {
  const busy = new Float64Array(workers);
  for (const shard of shards) {
    const free = busy.indexOf(Math.min(...busy));
    busy[free] += shard.reduce((sum, id) => sum + work(id), 0);
  }
  return Math.max(...busy);
}

describe('planShards', () => {
  test.each([1, 2, 5, 40])('has every client once, ascending within its shard, for %d workers', (workers) => {
    const work = (id: number) => 1 + (id % 7);
    const shards = planShards(ids(333), { ...settings, workers, work });
    expect(shards.flat().sort((a, b) => a - b)).toEqual(ids(333));
    for (const shard of shards) expect(shard).toEqual([...shard].sort((a, b) => a - b));
    expect(planShards([], settings)).toEqual([]);
  });

  test('the largest clients come first, and shards shrink', () => {
    const work = (id: number) => 1 + id;
    const shards = planShards(ids(200), { ...settings, work });
    const sizes = shards.map((shard) => shard.reduce((sum, id) => sum + work(id), 0));
    expect(shards[0]).toContain(3 * 199);
    expect(shards.at(-1)).toContain(0);
    for (let i = 1; i < sizes.length - 1; i++) expect(sizes[i]).toBeLessThanOrEqual(1.2 * sizes[i - 1]!);
    // Few shards: each costs a sum as long as the model on the wire.
    expect(shards.length).toBeLessThan(25);
  });

  test('a single worker gets the whole cohort within the limits, as it waits for nobody', () => {
    const alone = { ...settings, workers: 1 };
    expect(planShards(ids(64), alone).map(({ length }) => length)).toEqual([64]);
    expect(planShards(ids(64), { ...alone, mostClients: 40 }).map(({ length }) => length)).toEqual([40, 24]);
  });

  test.each([2, 3, 8])('%d workers are busy for 95 %% of a round of very unequal clients', (workers) => {
    const work = (id: number) => Math.exp(1.2 * standardNormal(namedStream('skew', 'size', id)));
    const cohort = ids(100 * workers);
    const total = cohort.reduce((sum, id) => sum + work(id), 0);
    const shards = planShards(cohort, { ...settings, workers, work });
    expect(total / (workers * makespan(shards, work, workers))).toBeGreaterThan(0.95);
  });

  test('limits hold: of clients always, of work unless one client alone exceeds it', () => {
    const work = (id: number) => (id === 9 ? 50 : 1);
    const shards = planShards(ids(100), { ...settings, work, mostClients: 6, mostWork: 5 });
    expect(shards[0]).toEqual([9]);
    expect(Math.max(...shards.map(({ length }) => length))).toBe(5);
    expect(planShards(ids(10), { ...settings, mostClients: 1 })).toHaveLength(10);
  });
});

describe('ShardPlanner', () => {
  test('begins with small shards and then sizes them by the time a lease has', () => {
    const planner = new ShardPlanner({ work: () => 2, shardSize: undefined, leaseSeconds: 400 });
    const longest = (shards: number[][]) => Math.max(...shards.map(({ length }) => length));
    expect(longest(planner.plan(ids(1000), 2))).toBe(32);
    planner.learn(2000);
    // A second of work per unit, so two per client; a quarter of the lease is 100 s.
    expect(longest(planner.plan(ids(1000), 2))).toBe(50);
    planner.learn(2);
    expect(longest(planner.plan(ids(1000), 2))).toBe(250);
  });

  test('keeps to a stated size', () => {
    const planner = new ShardPlanner({ work: () => 1, shardSize: 3, leaseSeconds: 600 });
    for (let round = 0; round < 2; round++) {
      expect(Math.max(...planner.plan(ids(50), 1).map(({ length }) => length))).toBe(3);
      planner.learn(1);
    }
  });

  test('an empty cohort teaches nothing', () => {
    const planner = new ShardPlanner({ work: () => 1, shardSize: undefined, leaseSeconds: 600 });
    expect(planner.plan([], 2)).toEqual([]);
    planner.learn(0);
    expect(Math.max(...planner.plan(ids(500), 1).map(({ length }) => length))).toBe(32);
  });
});
