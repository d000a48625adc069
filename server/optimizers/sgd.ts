import type { Schedule } from '../schedules.ts';
import { scaleByLearningRate } from './scale-by-learning-rate.ts';
import { trace } from './trace.ts';
import { chain, type Transform } from './transform.ts';

/** SGD with optional momentum. With rate 1 and no momentum it is federated averaging: the mean delta is subtracted. */
export function sgd(schedule: Schedule, momentum: number): Transform {
  const step = scaleByLearningRate(schedule);
  return momentum === 0 ? step : chain(trace(momentum), step);
}
