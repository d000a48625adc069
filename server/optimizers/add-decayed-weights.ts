import type { Transform } from './transform.ts';

/** Adds `weightDecay` · θ to the update (decoupled weight decay; optax `add_decayed_weights`). */
export function addDecayedWeights(weightDecay: number): Transform {
  return {
    slots: [],
    apply(update, _slots, { parameters }) {
      if (weightDecay === 0) return;
      for (let i = 0; i < update.length; i++) update[i] += weightDecay * parameters[i];
    },
  };
}
