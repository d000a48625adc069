/**
 * CTC in float64, written from Graves et al. 2006 §3–4: the forward variables α in log space, nothing else. Independent of the graph that
 * is tested: no backward variables, no reversal, plain loops over one utterance at a time.
 */

/** log(eᵃ + eᵇ) without overflow; −∞ stands for probability 0. */
function logAdd(a: number, b: number): number {
  const high = Math.max(a, b);
  if (high === Number.NEGATIVE_INFINITY) return high;
  return high + Math.log(Math.exp(a - high) + Math.exp(b - high));
}

/** Log-probabilities of one frame. */
function logSoftmax(logits: readonly number[]): number[] {
  const total = logits.reduce(logAdd, Number.NEGATIVE_INFINITY);
  return logits.map((logit) => logit - total);
}

/**
 * −log p(target | logits), infinite for a target that does not fit.
 * @param logits frames × symbols; symbol 0 is the blank
 */
export function negativeLogLikelihood(logits: readonly (readonly number[])[], target: readonly number[]): number {
  const labels = [0, ...target.flatMap((symbol) => [symbol, 0])];
  let alpha: number[] = labels.map(() => Number.NEGATIVE_INFINITY);
  for (const [t, frame] of logits.entries()) {
    const logY = logSoftmax(frame);
    const before = alpha;
    alpha = labels.map((label, s) => {
      if (t === 0) return s < 2 ? logY[label]! : Number.NEGATIVE_INFINITY;
      let reached = before[s]!;
      if (s >= 1) reached = logAdd(reached, before[s - 1]!);
      if (s >= 2 && label !== 0 && label !== labels[s - 2]) reached = logAdd(reached, before[s - 2]!);
      return reached + logY[label]!;
    });
  }
  return -logAdd(alpha.at(-1)!, alpha.at(-2) ?? Number.NEGATIVE_INFINITY);
}

export interface CtcUtterance {
  readonly logits: readonly (readonly number[])[];
  readonly target: readonly number[];
}

/** Mean over utterances of loss / target length (at least 1); an impossible target counts as 0. */
export function meanCtcLoss(utterances: readonly CtcUtterance[]): number {
  const losses = utterances.map(({ logits, target }) => {
    const loss = negativeLogLikelihood(logits, target);
    return Number.isFinite(loss) ? loss / Math.max(1, target.length) : 0;
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / utterances.length;
}

/** Gradient of `meanCtcLoss` with respect to the logits of one utterance, by central differences: frames × symbols. */
export function ctcGradient(utterances: readonly CtcUtterance[], index: number, step = 1e-4): number[][] {
  const { logits, target } = utterances[index]!;
  const share = 1 / (utterances.length * Math.max(1, target.length));
  const at = (frame: number, symbol: number, offset: number) => {
    const moved = logits.map((row, t) => (t === frame ? row.map((v, k) => (k === symbol ? v + offset : v)) : row));
    const loss = negativeLogLikelihood(moved, target);
    return Number.isFinite(loss) ? loss * share : 0;
  };
  return logits.map((row, frame) =>
    row.map((_, symbol) => (at(frame, symbol, step) - at(frame, symbol, -step)) / (2 * step)),
  );
}
