import type { Transform } from './transform.ts';

/** Decays and the ξ of Adam's moments. */
export interface AdamSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/**
 * m̂ / (√v̂ + ε) with bias-corrected moments (Kingma & Ba 2015; optax `scale_by_adam`, arXiv:2310.00098 App. E.4).
 * Where ε and the second moment are both zero the update is 0, so coordinates that never had a gradient stay.
 */
export function scaleByAdam({ beta1, beta2, epsilon }: AdamSettings): Transform {
  return {
    slots: ['mean', 'variance'],
    apply(update, [mean, variance], { step }) {
      const meanCorrection = 1 / (1 - beta1 ** step);
      const varianceCorrection = 1 / (1 - beta2 ** step);
      for (let i = 0; i < update.length; i++) {
        const gradient = update[i];
        const m = beta1 * mean[i] + (1 - beta1) * gradient;
        const v = beta2 * variance[i] + (1 - beta2) * gradient * gradient;
        mean[i] = m;
        variance[i] = v;
        const denominator = Math.sqrt(v * varianceCorrection) + epsilon;
        update[i] = denominator === 0 ? 0 : (m * meanCorrection) / denominator;
      }
    },
  };
}
