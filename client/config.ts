import { z } from 'zod';

/**
 * Local training of one client: plain SGD with globally clipped gradients (arXiv:2310.00098 Algorithm 1, C_loc = 1).
 * Exactly one of `steps` and `epochs` says how long.
 */
export const localConfig = z
  .strictObject({
    steps: z.int().min(1).optional().describe('Local SGD steps per client and round.'),
    epochs: z.int().min(1).optional().describe("Passes over the client's own examples per round."),
    batchSize: z.int().min(1).describe('Examples per local step.'),
    learningRate: z.number().gt(0).describe('Local learning rate, constant over rounds.'),
    maxGradientNorm: z
      .number()
      .gt(0)
      .nullable()
      .default(1)
      .describe('Each local gradient is clipped globally to this norm (C_loc); null for none.'),
  })
  .refine(({ steps, epochs }) => (steps === undefined) !== (epochs === undefined), {
    error: 'give exactly one of `steps` and `epochs`',
  });
export type LocalConfig = z.infer<typeof localConfig>;
