import type { Schedule } from '../schedules.ts';
import { addDecayedWeights } from './add-decayed-weights.ts';
import { scaleByLearningRate } from './scale-by-learning-rate.ts';
import { scaleByTrustRatio } from './scale-by-trust-ratio.ts';
import { trace } from './trace.ts';
import { chain, type Transform } from './transform.ts';

/** Settings of LARS besides the learning rate. */
export interface LarsSettings {
  readonly momentum: number;
  readonly weightDecay: number;
  readonly trustCoefficient: number;
}

/**
 * LARS (You et al. 2017) in optax's order: the learning rate enters before the momentum, so that a decay of the rate does not
 * rescale what the momentum has gathered.
 */
export function lars(schedule: Schedule, settings: LarsSettings): Transform {
  return chain(
    addDecayedWeights(settings.weightDecay),
    scaleByTrustRatio(settings.trustCoefficient),
    scaleByLearningRate(schedule),
    trace(settings.momentum),
  );
}
