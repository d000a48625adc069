import type { Support } from './accountant.ts';
import type { PrivacyEvent } from './ledger.ts';

/** A Gaussian on the whole population is the sampled one with q = 1. */
export interface Mechanism {
  readonly samplingRate: number;
  readonly noiseMultiplier: number;
}

/** Whether an event is made of Gaussians, sampled or not, and what in it is not. */
export function sampledGaussianSupport(event: PrivacyEvent): Support {
  const part = unsupportedPart(event, 'event');
  return part === null ? { supported: true } : { supported: false, event: part };
}

/** Path and kind of the first part that is not made of Gaussians, or null. */
function unsupportedPart(event: PrivacyEvent, path: string): string | null {
  switch (event.kind) {
    case 'gaussian':
    case 'nonPrivate':
      return null;
    case 'poissonSampled':
      return event.event.kind === 'gaussian'
        ? null
        : `${path}.event: '${event.event.kind}' under Poisson sampling (only 'gaussian' is supported there)`;
    case 'selfComposed':
      return unsupportedPart(event.event, `${path}.event`);
    case 'composed': {
      for (const [i, part] of event.events.entries()) {
        const found = unsupportedPart(part, `${path}.events[${i}]`);
        if (found !== null) return found;
      }
      return null;
    }
    default:
      // A ledger may come from a newer version.
      return `${path}: unknown kind '${(event as { kind: string }).kind}'`;
  }
}

/** Calls `use` for every leaf of a supported event, with the number of times it ran. */
export function visit(
  event: PrivacyEvent,
  count: number,
  use: (mechanism: Mechanism | 'nonPrivate', count: number) => void,
): void {
  if (count === 0) return;
  if (event.kind === 'gaussian') use({ samplingRate: 1, noiseMultiplier: event.noiseMultiplier }, count);
  else if (event.kind === 'nonPrivate') use('nonPrivate', count);
  else if (event.kind === 'selfComposed') visit(event.event, count * event.count, use);
  else if (event.kind === 'composed') for (const part of event.events) visit(part, count, use);
  else if (event.event.kind === 'gaussian') {
    use({ samplingRate: event.samplingRate, noiseMultiplier: event.event.noiseMultiplier }, count);
  }
}
