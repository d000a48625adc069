import type { Transform } from './transform.ts';

/** Momentum: the update becomes trace = update + decay · trace (optax `trace`, without Nesterov's look-ahead). */
export function trace(decay: number): Transform {
  return {
    slots: ['trace'],
    apply(update, [memory]) {
      for (let i = 0; i < update.length; i++) {
        memory[i] = update[i] + decay * memory[i];
        update[i] = memory[i];
      }
    },
  };
}
