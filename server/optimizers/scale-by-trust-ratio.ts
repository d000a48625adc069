import { l2Norm } from '../../params/vector.ts';
import type { Transform } from './transform.ts';

/**
 * Multiplies each layer's update by coefficient · ‖θ_h‖ / ‖update_h‖ (You et al. 2017, 2020; optax `scale_by_trust_ratio`).
 * The ratio is 1 when either norm is 0: otherwise a layer initialised with zeros could never move.
 */
export function scaleByTrustRatio(coefficient = 1): Transform {
  return {
    slots: [],
    apply(update, _slots, { layout, parameters }) {
      for (const layer of layout.layers) {
        const view = layout.view(update, layer);
        const weightNorm = l2Norm(layout.view(parameters, layer));
        const updateNorm = l2Norm(view);
        if (weightNorm === 0 || updateNorm === 0) continue;
        const ratio = (coefficient * weightNorm) / updateNorm;
        for (let i = 0; i < view.length; i++) view[i] *= ratio;
      }
    },
  };
}
