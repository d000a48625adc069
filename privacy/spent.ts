import { PrivacyError } from '../errors.ts';
import type { Support } from './accountant.ts';
import type { Adjacency, MechanismStepEvent, PrivacyEvent } from './events.ts';
import { correlatedGaussian, type EventPart, type Mechanism, partsOf } from './mechanisms.ts';

/** A mechanism and how often it ran. */
export interface Repeated {
  readonly mechanism: Mechanism;
  readonly count: number;
}

/** Says why an accountant cannot price a mechanism, or null. */
export type Refuses = (mechanism: Mechanism) => string | null;

const NEVER: Refuses = () => null;

/** Whether every part of an event has an analysis under the adjacency and is of a kind that the accountant prices. */
export function supportOf(event: PrivacyEvent, adjacency: Adjacency, refuses: Refuses = NEVER): Support {
  for (const part of partsOf(event, adjacency)) {
    if (part.is === 'unsupported') return { supported: false, event: part.problem };
    const why = part.is === 'mechanism' ? refuses(part.mechanism) : null;
    if (part.is === 'mechanism' && why !== null) return { supported: false, event: `${part.path}: ${why}` };
  }
  return { supported: true };
}

/**
 * What has been spent so far: every distinct mechanism with its count. Since composition is free of order, a total over thousands of rounds stays as small as
 * the number of different rounds.
 */
export class Spent {
  readonly #adjacency: Adjacency;
  readonly #counts = new Map<string, { readonly mechanism: Mechanism; count: number }>();
  readonly #correlated = new Map<string, CorrelatedRun>();
  #withoutPrivacy = false;
  #last: { readonly event: PrivacyEvent; readonly parts: readonly EventPart[] } | null = null;

  constructor(adjacency: Adjacency) {
    this.#adjacency = adjacency;
  }

  /** A total that goes on by itself. */
  copy(): Spent {
    const copy = new Spent(this.#adjacency);
    for (const [key, { mechanism, count }] of this.#counts) copy.#counts.set(key, { mechanism, count });
    for (const [key, { mechanism, times }] of this.#correlated) {
      copy.#correlated.set(key, { mechanism, times: new Map(times) });
    }
    copy.#withoutPrivacy = this.#withoutPrivacy;
    return copy;
  }

  /** Whether user data was used without any noise. */
  get withoutPrivacy(): boolean {
    return this.#withoutPrivacy;
  }

  /** @throws PrivacyError when a part is unsupported; nothing is then counted */
  add(event: PrivacyEvent): void {
    for (const part of this.#partsOf(event)) {
      if (part.is === 'nonPrivate') this.#withoutPrivacy = true;
      else if (part.is === 'step') this.#addStep(part.event, part.count);
      else if (part.is === 'mechanism') {
        const key = JSON.stringify(part.mechanism);
        const known = this.#counts.get(key);
        if (known) known.count += part.count;
        else this.#counts.set(key, { mechanism: part.mechanism, count: part.count });
      }
    }
  }

  /** The rounds of a run mostly add one and the same event. */
  #partsOf(event: PrivacyEvent): readonly EventPart[] {
    if (this.#last?.event === event) return this.#last.parts;
    const parts = [...partsOf(event, this.#adjacency)];
    const refused = parts.find((part) => part.is === 'unsupported');
    if (refused !== undefined) throw new PrivacyError(`cannot account ${refused.problem}`);
    this.#last = { event, parts };
    return parts;
  }

  /** Every distinct mechanism with its count, correlated ones as the Gaussians they amount to after their last step. */
  mechanisms(): Repeated[] {
    const correlated = [...this.#correlated.values()].map(({ mechanism, times }): Repeated => {
      const steps = Math.max(...times.keys());
      // A step that ran twice adds at most the rows of the whole mechanism once more, with fresh noise.
      return { mechanism: correlatedGaussian(mechanism, steps, this.#adjacency), count: Math.max(...times.values()) };
    });
    return [...this.#counts.values(), ...correlated];
  }

  #addStep({ mechanism, instance, step }: MechanismStepEvent, count: number): void {
    const key = `${instance} ${JSON.stringify(mechanism)}`;
    const run = this.#correlated.get(key) ?? { mechanism, times: new Map<number, number>() };
    this.#correlated.set(key, run);
    run.times.set(step, (run.times.get(step) ?? 0) + count);
  }
}

interface CorrelatedRun {
  readonly mechanism: MechanismStepEvent['mechanism'];
  /** How often each step ran. */
  readonly times: Map<number, number>;
}
