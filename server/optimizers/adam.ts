import type { Schedule } from '../schedules.ts';
import { type AdamSettings, scaleByAdam } from './scale-by-adam.ts';
import { scaleByLearningRate } from './scale-by-learning-rate.ts';
import { chain, type Transform } from './transform.ts';

/** Adam (Kingma & Ba 2015). */
export function adam(schedule: Schedule, settings: AdamSettings): Transform {
  return chain(scaleByAdam(settings), scaleByLearningRate(schedule));
}
