import type { ParameterLayout } from '../params/layout.ts';
import { Canaries } from '../privacy/audit/canaries.ts';
import type { RunConfig } from './run-config.ts';
import type { RunPrivacy } from './run-privacy.ts';

/** The file of a run directory with coins and scores of the canaries. */
export const AUDIT_FILE = 'audit.json';

/** The canaries of a run; undefined when it is not audited. */
export function canariesOf(config: RunConfig, layout: ParameterLayout, privacy: RunPrivacy): Canaries | undefined {
  const { audit } = config.privacy;
  if (audit === undefined) return undefined;
  const { clipping, grid, settings } = privacy;
  return new Canaries(audit.canaries, config.seed, layout, {
    clipping,
    samplingRate: settings.samplingRate,
    grid,
    deviation: (layer) => privacy.deviation(layer),
  });
}

/** Content of `audit.json` after a round. */
export function auditScores(round: number, { included, scores }: Canaries): string {
  return `${JSON.stringify({ round, included: included.map(Number), scores: [...scores] })}\n`;
}
