import { z } from 'zod';

/** Layers with noise of their own, see `noise-groups.ts`. */
export const noiseGroup = z.strictObject({
  layers: z.array(z.string().min(1)).min(1).describe('names of layers; `*` stands for any characters'),
  factor: z
    .number()
    .gt(0)
    .describe('standard deviation of their noise relative to layers in no group; the combined noise multiplier stays'),
});

/** A wrong combination of settings. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

interface MechanismSettings {
  readonly mechanism: string;
  readonly noiseGroups?: readonly unknown[] | undefined;
}

/** What does not go together in the settings of a mechanism. */
export function mechanismProblems({ mechanism, noiseGroups }: MechanismSettings): Problem[] {
  const problems: Problem[] = [];
  if (noiseGroups !== undefined && mechanism !== 'gaussian') {
    problems.push({
      path: ['noiseGroups'],
      message: 'only mechanism gaussian has noise per group of layers; remove it',
    });
  }
  return problems;
}
