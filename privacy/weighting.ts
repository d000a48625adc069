import { z } from 'zod';

/** How much a client counts in the sum of its round. */
export const weightingConfig = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('uniform').describe('every client has weight 1') }),
  z.strictObject({
    kind: z
      .literal('examples')
      .describe('a clipped delta counts min(n, maxWeight) / maxWeight, n being the client’s number of examples'),
    maxWeight: z
      .int({
        error:
          'weights by number of examples need maxWeight, the number from which on a client counts in full: without it one client could move the sum by any amount',
      })
      .min(1)
      .describe('examples from which on a client counts in full; its weight is then 1, and never more'),
  }),
]);
export type Weighting = z.infer<typeof weightingConfig>;

/**
 * The weight of a client with `examples` examples, in [0, 1]. A delta of norm C at most keeps that norm when it is multiplied with it *after*
 * clipping, so sensitivity and noise are those of equal weights. It depends on nobody else's data, as a share of the cohort's examples would.
 */
export function clientWeight(weighting: Weighting | undefined, examples: number): number {
  if (weighting === undefined || weighting.kind === 'uniform') return 1;
  return Math.min(examples, weighting.maxWeight) / weighting.maxWeight;
}
