/** Below it no δ is looked for; the bound that is known stays. */
const SMALLEST = 1e-18;
const PRECISION = 1e-3;

/**
 * The smallest δ found, to about 0.1 %, at which ε(δ) ≤ `epsilon`: secants of ε over log δ, held in a bracket. Whatever the search does, the answer
 * satisfies that: it is an upper bound on δ(ε).
 * @param epsilonAt an upper bound of ε, not increasing in δ; one evaluation may take a tenth of a second
 * @param known a δ that is known to be enough
 */
export function smallestDelta(epsilonAt: (delta: number) => number, epsilon: number, known: number): number {
  if (!(known > SMALLEST)) return known;
  const excess = (logDelta: number): number => epsilonAt(Math.exp(logDelta)) - epsilon;
  const floor = Math.log(SMALLEST);
  // δ of 1 is no input of an accountant.
  let high = Math.min(Math.log(known), -1e-9);
  let low = floor;
  let best = known;
  let before = { at: high, excess: excess(high) };
  let next = Math.max(floor, high - 1);
  for (let i = 0; i < 60 && high - low > PRECISION; i++) {
    const value = excess(next);
    if (value <= 0) {
      best = Math.exp(next);
      high = next;
    } else low = next;
    const root = next - (value * (next - before.at)) / (value - before.excess);
    before = { at: next, excess: value };
    // A little above the root, so that the last step ends on the side that is enough; back into the bracket where the line leads out of it.
    const aim = root + PRECISION / 2;
    const inside = aim > low && aim < high && i % 8 !== 7;
    next = inside ? aim : (low + high) / 2;
    if (value <= 0 && root >= high - PRECISION) break;
  }
  return best;
}
