import type { PrivacyEvent } from '../privacy/events.ts';

/** What an entry of the ledger says about the noise of its round. */
export interface RoundNoise {
  readonly mechanism: 'gaussian';
  /** q */
  readonly rate: number;
  /** z, of all layers together. */
  readonly multiplier: number;
  /** z of each group of layers, where groups have noise of their own. */
  readonly groups: readonly number[];
}

/** The noise of a round; null for events that no run of dpfl writes. */
export function roundNoise(event: PrivacyEvent): RoundNoise | null {
  if (event.kind !== 'poissonSampled') return null;
  const { samplingRate: rate, event: noise } = event;
  if (noise.kind === 'gaussian') return { mechanism: 'gaussian', rate, multiplier: noise.noiseMultiplier, groups: [] };
  if (noise.kind !== 'composed') return null;
  const groups = noise.events.map((part) => (part.kind === 'gaussian' ? part.noiseMultiplier : Number.NaN));
  const multiplier = groups.reduce((precision, z) => precision + z ** -2, 0) ** -0.5;
  return Number.isNaN(multiplier) ? null : { mechanism: 'gaussian', rate, multiplier, groups };
}

/** Whether two rounds had the same noise, but for the rounding of its multiplier. */
export function sameNoise(
  a: Pick<RoundNoise, 'rate' | 'multiplier'>,
  b: Pick<RoundNoise, 'rate' | 'multiplier'>,
): boolean {
  return Math.abs(a.multiplier / b.multiplier - 1) < 1e-12 && a.rate === b.rate;
}
