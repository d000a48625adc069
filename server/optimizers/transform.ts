import type { ParameterLayout } from '../../params/layout.ts';

/** What a transform may look at besides the update itself. */
export interface StepContext {
  readonly layout: ParameterLayout;
  /** The parameters before this step. */
  readonly parameters: Float32Array;
  /** Central step, counting from 1. */
  readonly step: number;
}

/**
 * One link of an optimizer, after optax's gradient transformations: it rewrites the update in place. All its memory between
 * steps are the float32 vectors named by `slots`, each as long as the parameters and zero before step 1; everything else
 * follows from its arguments. Elements are computed in float64 and rounded when stored.
 */
export interface Transform {
  readonly slots: readonly string[];
  apply(update: Float32Array, slots: readonly Float32Array[], context: StepContext): void;
}

/** One transform that applies `links` from left to right. */
export function chain(...links: readonly Transform[]): Transform {
  return {
    slots: links.flatMap((link) => link.slots),
    apply(update, slots, context) {
      let first = 0;
      for (const link of links) {
        const end = first + link.slots.length;
        link.apply(update, slots.slice(first, end), context);
        first = end;
      }
    },
  };
}
