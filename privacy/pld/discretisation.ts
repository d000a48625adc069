import type { LossCells } from './loss-cells.ts';

// Looked up once: in a virtual-machine context every use of a global costs more than the function.
const { exp, expm1, floor, log1p, max, min } = Math;

/** A privacy-loss distribution on the grid of losses i·Δ: mass[k] at loss (first + k)·Δ. */
export interface LossGrid {
  readonly first: number;
  readonly mass: Float64Array;
}

/**
 * Connect the dots (Doroshenko, Ghazi, Kamath, Kumar & Manurangsi 2022, arXiv:2207.04380): each cell's mass is split between its two
 * edges so that both P(cell) and Q(cell) stay. The hockey-stick curve δ(ε) then is exact at every grid point and, by convexity in
 * e^ε, too large between them: an upper bound, and the smallest on this grid. It holds for both directions, P against Q and Q against P.
 */
export function pessimisticGrid({ interval, first, mass, excess }: LossCells): LossGrid {
  const grid = new Float64Array(mass.length + 1);
  const width = -expm1(-interval);
  for (let cell = 0; cell < mass.length; cell++) {
    const upper = min(mass[cell], excess[cell] / width);
    grid[cell] += mass[cell] - upper;
    grid[cell + 1] += upper;
  }
  return { first, mass: grid };
}

/**
 * Privacy buckets (Meiser & Mohammadi 2018; Koskela, Jälkö & Honkela 2020) whose losses lie on the grid: neighbouring outcomes are merged, the
 * last one of a bucket in part, until log(P(bucket)/Q(bucket)) is a grid point. Merging, also at random, is post-processing: δ(ε) cannot
 * grow, in either direction, so the result is a lower bound. What is left over at the top is dropped, which lowers δ too.
 */
export function optimisticGrid({ interval, first, mass, excess }: LossCells): LossGrid {
  const grid = new Float64Array(mass.length + 1);
  let target = 0; // grid point of the bucket being filled, counted from `first`
  let bucket = 0; // its P mass so far
  let deficit = 0; // e^target·Q − P of the bucket so far, above 0 until it is full
  for (let cell = 0; cell < mass.length; cell++) {
    if (mass[cell] === 0) continue;
    let rest = 1;
    while (rest > 0) {
      // P − e^target·Q of the whole cell, from P − e^edge·Q
      const above = mass[cell] - exp((target - cell) * interval) * (mass[cell] - excess[cell]);
      if (bucket === 0 && above >= 0) {
        // The next bucket starts at the first grid point above the cell's own loss.
        const loss = cell - log1p(-min(excess[cell] / mass[cell], 1 - 1e-16)) / interval;
        target = max(target + 1, floor(loss) + 1);
        continue;
      }
      const take = above <= 0 || above * rest <= deficit ? rest : deficit / above;
      bucket += take * mass[cell];
      deficit -= take * above;
      rest -= take;
      if (rest > 0) {
        grid[target] += bucket;
        target += 1;
        bucket = 0;
        deficit = 0;
      }
    }
  }
  return { first, mass: grid };
}

/** The same mechanism in the other direction (Q against P): mass e^(−loss)·P at the loss of opposite sign. */
export function reversedGrid({ first, mass }: LossGrid, interval: number): LossGrid {
  const grid = new Float64Array(mass.length);
  for (let k = 0; k < mass.length; k++) grid[mass.length - 1 - k] = mass[k] * exp(-(first + k) * interval);
  return { first: -(first + mass.length - 1), mass: grid };
}
