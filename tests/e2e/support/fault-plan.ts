import { namedStream } from '../../../random/stream.ts';

/** What befalls a run next. */
export type Fault = 'kill worker' | 'add worker' | 'freeze worker' | 'kill server';

export interface PlannedFault {
  /** Milliseconds after the fault before. */
  readonly after: number;
  readonly fault: Fault;
  /** Picks the worker that it strikes, in [0, 1). */
  readonly victim: number;
}

/** A seed for this execution: `DPFL_FAULT_SEED`, to repeat one that failed, or a new one. */
export function faultSeed(): string {
  return process.env.DPFL_FAULT_SEED ?? String(Date.now());
}

/** A sequence of faults that depends on the seed alone. Every kind comes, in random order at random times. */
export function planFaults(seed: string, rounds: number): PlannedFault[] {
  const random = namedStream(seed, 'fault plan');
  const kinds: Fault[] = ['kill worker', 'add worker', 'freeze worker', 'kill server'];
  const plan: PlannedFault[] = [];
  for (let each = 0; each < rounds; each++) {
    const left = [...kinds];
    while (left.length > 0) {
      const [fault] = left.splice(random.integer(left.length), 1);
      // Mostly short pauses, now and then a long one: faults hit start, rounds, evaluation and checkpoints alike.
      const after = Math.min(3000, -800 * Math.log(1 - random.uniform()));
      plan.push({ after, fault, victim: random.uniform() });
    }
  }
  return plan;
}
