import type { SampledLaplace } from '../mechanisms.ts';
import { FIVE_POINTS, type LossCells, type LossSource } from './loss-cells.ts';

// Looked up once: in a virtual-machine context every use of a global costs more than the function.
const { ceil, exp, expm1, floor, log1p, max, min } = Math;

const ROUGH_POINTS = 1024;

/**
 * The loss of Poisson-sampled Laplace noise of scale b, L1 sensitivity 1: P = (1 − q)·Lap(0, b) + q·Lap(1, b) against Q = Lap(0, b). It is
 * constant below 0 and above 1 (two outcomes with a mass of their own) and grows between.
 */
export function laplaceLoss(mechanism: SampledLaplace): LossSource {
  const { samplingRate: q, scale: b } = mechanism;
  const lossOf = (x: number) => log1p(q * expm1((2 * x - 1) / b));
  const ends = [
    { loss: lossOf(0), noise: 0.5 },
    { loss: lossOf(1), noise: exp(-1 / b) / 2 },
  ];
  return {
    span: ends[1].loss - ends[0].loss,
    cells: (interval, offset = 0) => laplaceCells(mechanism, interval, offset, ends),
    // Half of all outcomes without the user, and more, have exactly this loss.
    bulkLoss: () => ends[0].loss,
    rough: () => {
      const inside = Array.from({ length: ROUGH_POINTS }, (_, k) => (k + 0.5) / ROUGH_POINTS);
      const noise = inside.map((x) => exp(-x / b) / (2 * b * ROUGH_POINTS));
      const losses = Float64Array.from([ends[0].loss, ...inside.map(lossOf), ends[1].loss]);
      const mass = Float64Array.from([ends[0].noise, ...noise, ends[1].noise], (p, k) => p * exp(losses[k]));
      return { losses, mass };
    },
  };
}

/** An outcome with a mass of its own under Q. */
interface Atom {
  readonly loss: number;
  readonly noise: number;
}

function laplaceCells(
  { samplingRate: q, scale: b }: SampledLaplace,
  interval: number,
  offset: number,
  ends: readonly Atom[],
): LossCells {
  const first = floor((ends[0].loss - offset) / interval);
  const last = floor((ends[1].loss - offset) / interval);
  const mass = new Float64Array(last - first + 1);
  const excess = new Float64Array(mass.length);
  const { nodes, weights } = FIVE_POINTS;
  let from = 0;
  for (let cell = 0; cell < mass.length; cell++) {
    const edge = expm1((first + cell) * interval + offset);
    // Where the loss reaches the cell's upper edge: 1 + b·log(1 + (e^edge − 1)/q), halved.
    const odds = expm1((first + cell + 1) * interval + offset) / q;
    const end = odds > -1 ? (1 + b * log1p(odds)) / 2 : 0;
    const to = cell === mass.length - 1 ? 1 : min(1, max(from, end));
    // The integrand's logarithm changes by at most 3 per b.
    const panels = max(1, ceil((3 * (to - from)) / b));
    const half = (to - from) / (2 * panels);
    for (let panel = 0; panel < panels; panel++) {
      const centre = from + (2 * panel + 1) * half;
      for (let k = 0; k < nodes.length; k++) {
        const x = centre + half * nodes[k];
        const weight = (weights[k] * half * exp(-x / b)) / (2 * b);
        const ratio = q * expm1((2 * x - 1) / b);
        mass[cell] += weight * (1 + ratio);
        excess[cell] += weight * (ratio - edge);
      }
    }
    excess[cell] = max(0, excess[cell]);
    from = to;
  }
  for (const { loss, noise } of ends) {
    const cell = floor((loss - offset) / interval) - first;
    mass[cell] += noise * exp(loss);
    excess[cell] += noise * exp(loss) * max(0, -expm1((first + cell) * interval + offset - loss));
  }
  return { interval, offset, first, mass, excess };
}
