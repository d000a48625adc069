import { z } from 'zod';
import { ProtocolError } from '../errors.ts';

/** How client deltas are clipped; `layerBounds` in the order of layers, where they are not those of the mode. */
export const clippingSpec = z.strictObject({
  mode: z.enum(['global', 'uniform', 'dim', 'l1', 'none']),
  bound: z.number().gt(0),
  layerBounds: z.array(z.number().gt(0)).readonly().optional(),
  rounding: z.literal('nearest').optional(),
});

/** What a round changes in the task: sent with each of its leases, as JSON. */
export const roundSettings = z.strictObject({
  clipping: clippingSpec,
  /** Step of the exact grid, a power of two. */
  gridStep: z.number().gt(0),
  /** Noise that each client adds to its clipped delta. */
  noise: z
    .strictObject({
      kind: z.enum(['gaussian', 'discreteGaussian', 'laplace']),
      steps: z.number().gt(0),
      source: z.enum(['seeded', 'cryptographic']),
      /** Whether it has to hide the client from the server too: nothing else of the client may then be told. */
      local: z.boolean(),
    })
    .optional(),
});
export type RoundSettings = z.infer<typeof roundSettings>;

/**
 * Reads the settings of a round as the server sent them.
 * @throws ProtocolError when they are not those of this version
 */
export function parseRoundSettings(json: string): RoundSettings {
  try {
    return roundSettings.parse(JSON.parse(json));
  } catch (cause) {
    throw new ProtocolError(
      'the round settings the server sent are not understood; use the same version on both sides',
      {
        cause,
      },
    );
  }
}
