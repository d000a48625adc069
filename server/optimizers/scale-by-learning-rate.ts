import type { Schedule } from '../schedules.ts';
import type { Transform } from './transform.ts';

/** Multiplies by −η(t): from here on the update is what is added to the parameters (optax `scale_by_learning_rate`). */
export function scaleByLearningRate(schedule: Schedule): Transform {
  return {
    slots: [],
    apply(update, _slots, { step }) {
      const factor = -schedule(step);
      for (let i = 0; i < update.length; i++) update[i] *= factor;
    },
  };
}
