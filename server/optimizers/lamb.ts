import type { Schedule } from '../schedules.ts';
import { addDecayedWeights } from './add-decayed-weights.ts';
import { type AdamSettings, scaleByAdam } from './scale-by-adam.ts';
import { scaleByLearningRate } from './scale-by-learning-rate.ts';
import { scaleByTrustRatio } from './scale-by-trust-ratio.ts';
import { chain, type Transform } from './transform.ts';

/**
 * LAMB (You et al. 2020; arXiv:2310.00098 App. E.4): each layer moves by η ‖θ_h‖ along r_h + λθ_h, where r is Adam's
 * direction and φ is the identity.
 */
export function lamb(schedule: Schedule, settings: AdamSettings & { readonly weightDecay: number }): Transform {
  return chain(
    scaleByAdam(settings),
    addDecayedWeights(settings.weightDecay),
    scaleByTrustRatio(),
    scaleByLearningRate(schedule),
  );
}
