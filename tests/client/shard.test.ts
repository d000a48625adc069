import { describe, expect, test } from '@jest/globals';
import { trainShard } from '../../client/shard.ts';
import { ProtocolError } from '../../errors.ts';
import { ExactGrid } from '../../params/grid.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { Clipper } from '../../privacy/clipping.ts';
import { namedStream, type RandomStream } from '../../random/stream.ts';
import { deltaOf, fakeContext, layers, parameters } from '../support/wire.ts';

describe('trainShard', () => {
  test('adds up what the clients give', async () => {
    const theta = parameters();
    const result = await trainShard(fakeContext(), 3, theta, [4, 9]);
    const expected = deltaOf(4, theta).map((value, i) => value + deltaOf(9, theta)[i]);
    expect([...result.sum]).toEqual(expected);
    expect(result).toMatchObject({ contributed: 2, rejectedNonFinite: 0, lossSum: 6.5, examples: 2 + 1 });
    expect([...result.deltaNormSums]).toEqual([2, 20]);
    expect([...result.clippedCounts]).toEqual([2, 0]);
    expect(result.seconds.total).toBeGreaterThan(0);
  });

  test('losses and norms add up to the same whatever the shards', async () => {
    const theta = parameters();
    const context = fakeContext();
    const { train } = context.trainer;
    const outcome = { accepted: true as const, norms: [0.1, 1 / 3], clipped: [0, 1] };
    const clipper = { addAll: (_: unknown, deltas: readonly unknown[]) => deltas.map(() => outcome) };
    // Sums of numbers such as 0.1 depend on their order, unless they are rounded first.
    const trainer = {
      train: async (...given: Parameters<typeof train>) => ({ ...(await train(...given)), loss: 0.1 }),
    };
    const sums = async (shards: number[][]) => {
      let [loss, first, second] = [0, 0, 0];
      for (const ids of shards) {
        const { lossSum, deltaNormSums } = await trainShard({ ...context, trainer, clipper }, 1, theta, ids);
        loss += lossSum;
        first += deltaNormSums[0];
        second += deltaNormSums[1];
      }
      return [loss, first, second];
    };
    const whole = await sums([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]);
    expect(await sums([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]])).toEqual(whole);
    expect(whole[0]).toBeCloseTo(1, 8);
    expect(whole[2]).toBeCloseTo(10 / 3, 8);
  });

  test('clients whose deltas the trainer keeps are added together, each from a place of its own', async () => {
    const context = fakeContext();
    const { length } = parameters();
    const kept = new Float32Array(length * 4);
    const together: number[] = [];
    const trainer = {
      keeps: 4,
      train: async (...[theta, examples, settings, random, place]: Parameters<typeof context.trainer.train>) => {
        const { delta, ...rest } = await context.trainer.train(theta, examples, settings, random);
        kept.set(delta, length * place!);
        return { ...rest, delta: kept.subarray(length * place!, length * (place! + 1)) };
      },
    };
    const clipper = {
      addAll: (...[sum, deltas]: Parameters<typeof context.clipper.addAll>) => {
        together.push(deltas.length);
        return context.clipper.addAll(sum, deltas);
      },
    };
    const ids = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    const { seconds: _, ...apart } = await trainShard(context, 1, parameters(), ids);
    const { seconds, ...result } = await trainShard({ ...context, trainer, clipper }, 1, parameters(), ids);
    expect(result).toEqual(apart);
    expect(together).toEqual([4, 4, 2]);
  });

  test("a client's random stream depends on seed, round and client only", async () => {
    const draws = async (round: number, ids: number[]) => {
      const context = fakeContext();
      const seen: number[] = [];
      const train = async (theta: Float32Array, _: unknown, __: unknown, random: RandomStream) => {
        seen.push(random.int32());
        return { delta: theta, loss: 0 };
      };
      await trainShard({ ...context, trainer: { train } }, round, parameters(), ids);
      return seen;
    };
    const [alone] = await draws(2, [7]);
    expect(await draws(2, [3, 7])).toEqual([expect.any(Number), alone]);
    expect(await draws(3, [7])).not.toEqual([alone]);
    expect(alone).toBe(namedStream(1, 'client-batches', 2, 7).int32());
  });

  test('a client with a non-finite delta leaves no trace but its count', async () => {
    const theta = parameters();
    const layout = new ParameterLayout(layers);
    const clipper = new Clipper(layout, { mode: 'global', bound: 1 }, ExactGrid.forSum(1, 100));
    const context = fakeContext();
    const poisoned = {
      ...context,
      clipper,
      trainer: {
        train: async (...given: Parameters<typeof context.trainer.train>) => {
          const { delta, loss } = await context.trainer.train(...given);
          if (loss === 2) delta[0] = Number.POSITIVE_INFINITY;
          return { delta, loss };
        },
      },
    };
    const { seconds: _, ...withPoison } = await trainShard(poisoned, 1, theta, [1, 4, 6]);
    const { seconds: __, ...without } = await trainShard(poisoned, 1, theta, [1, 6]);
    expect(withPoison).toEqual({ ...without, rejectedNonFinite: 1 });
    expect(without.contributed).toBe(2);
    // Under local noise not even that: it sends noise alone, and no client says anything beside its noisy delta.
    const noise = {
      local: true,
      addTo: (sum: Float64Array, _round: number, client: number) => {
        sum[0] += client;
      },
    };
    const { seconds: ___, sum, ...figures } = await trainShard({ ...poisoned, noise }, 1, theta, [1, 4, 6]);
    expect([...sum]).toEqual([...without.sum].map((value, i) => value + (i === 0 ? 1 + 4 + 6 : 0)));
    const { seconds: ____, sum: _____, ...others } = await trainShard({ ...poisoned, noise }, 1, theta, [7, 8, 9]);
    expect(figures).toEqual(others);
    expect(figures).toMatchObject({ contributed: 3, rejectedNonFinite: 0, examples: 0, lossSum: Number.NaN });
  });

  test('shards of any cut have the same total, bit by bit, with the real clipper', async () => {
    const layout = new ParameterLayout(layers);
    const clipper = new Clipper(layout, { mode: 'dim', bound: 0.3 }, ExactGrid.forSum(0.3, 100));
    const theta = parameters().map((value) => value / 7);
    const context = { ...fakeContext(), clipper };
    const ids = Array.from({ length: 20 }, (_, index) => index * 3);
    const total = async (size: number) => {
      const sum = new Float64Array(layout.size);
      for (let start = ids.length; start > 0; start -= size) {
        const part = await trainShard(context, 1, theta, ids.slice(Math.max(0, start - size), start));
        part.sum.forEach((value, i) => {
          sum[i] += value;
        });
      }
      return sum;
    };
    expect(await total(7)).toEqual(await total(20));
    expect(await total(1)).toEqual(await total(20));
  });

  test('gives the event loop a turn between clients that take their time', async () => {
    let turns = 0;
    const ticker = setInterval(() => {
      turns += 1;
    }, 0);
    const busy = fakeContext(() => {
      const end = performance.now() + 12;
      while (performance.now() < end);
    });
    await trainShard(busy, 1, parameters(), [1, 2, 3, 4, 5]);
    clearInterval(ticker);
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  test('ends before the next client when told', async () => {
    const controller = new AbortController();
    const trained: number[] = [];
    const context = fakeContext((id) => {
      trained.push(id);
      if (id === 2) controller.abort(new Error('enough'));
    });
    await expect(trainShard(context, 1, parameters(), [1, 2, 3], controller.signal)).rejects.toThrow('enough');
    expect(trained).toEqual([1, 2]);
  });

  test('a client outside the population is an error', async () => {
    await expect(trainShard(fakeContext(), 1, parameters(), [100_000])).rejects.toThrow(ProtocolError);
  });
});
