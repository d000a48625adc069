import { z } from 'zod';

/** The empirical audit of a run, see docs/privacy.md. */
export const auditConfig = z.strictObject({
  canaries: z
    .int()
    .min(20)
    .max(1_000_000)
    .describe('synthetic users; a fair coin includes each. More of them bound epsilon more closely'),
  confidence: z
    .number()
    .gt(0.5)
    .lt(1)
    .default(0.99)
    .describe('confidence of the lower bound; a run whose lower bound exceeds the claimed epsilon fails'),
});

interface AuditedSettings {
  readonly mechanism: string;
  readonly clipping: { readonly mode: string; readonly adaptive?: unknown };
  readonly noisePlacement: string;
  readonly audit?: unknown;
}

/** Why settings cannot be audited; undefined when they can, or are not to be. */
export function auditProblem({ mechanism, clipping, noisePlacement, audit }: AuditedSettings): string | undefined {
  if (audit === undefined) return undefined;
  if (mechanism !== 'gaussian' && mechanism !== 'discreteGaussian' && mechanism !== 'none') {
    return `canaries are for Poisson cohorts and an L2 norm, which mechanism ${mechanism} does not have; remove audit`;
  }
  if (clipping.mode === 'none') {
    return 'canaries have the norm of the clipping bound; choose clipping.mode global, uniform or dim';
  }
  if (clipping.adaptive !== undefined) {
    return 'canaries at the clipping bound would move adaptive bounds; remove adaptive or audit';
  }
  if (noisePlacement !== 'central') {
    return 'canaries add no noise of their own; remove noisePlacement or audit';
  }
  return undefined;
}
