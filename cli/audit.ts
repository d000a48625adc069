import { ConfigError } from '../errors.ts';
import { type AuditSection, contradiction } from '../report/audit.ts';
import { formatCount, formatEpsilon, roundDown, significant } from '../report/format.ts';
import { buildReport } from '../report/model.ts';
import { readRunFiles } from '../report/run-files.ts';

/**
 * Computes the audit of a run anew from its directory.
 * @param confidence in place of the run's own
 * @throws ConfigError when there is no run, it was not audited, or no round has run; DataError when its files are damaged
 */
export async function auditOfRun(directory: string, confidence?: string): Promise<AuditSection> {
  const files = await readRunFiles(directory);
  const { privacy } = files.config;
  if (privacy.audit === undefined) {
    throw new ConfigError(`${directory}: this run has no canaries; run it with privacy.audit: { canaries: 1000 }`);
  }
  const level = confidence === undefined ? privacy.audit.confidence : Number(confidence);
  if (!(level > 0.5 && level < 1)) throw new ConfigError(`--confidence ${confidence}: give a number between 0.5 and 1`);
  const config = { ...files.config, privacy: { ...privacy, audit: { ...privacy.audit, confidence: level } } };
  const { audit } = buildReport({ ...files, config });
  if (audit === null) throw new ConfigError(`${directory}: no central step has run yet, so there is nothing to audit`);
  return audit;
}

/** The audit for the terminal. */
export function auditText(audit: AuditSection): string {
  const { claimedEpsilon, lowerBound, estimate, confidence, canaries, included, rounds, delta, caveats } = audit;
  const claim = claimedEpsilon === null ? 'none' : formatEpsilon(claimedEpsilon);
  const lower = (epsilon: number) => significant(roundDown(epsilon, 4));
  const lines = [
    `claimed epsilon  ${claim} at delta ${significant(delta)}`,
    `lower bound      ${lower(lowerBound.epsilonLower)} at confidence ${confidence} (${formatCount(lowerBound.correct)} of ${formatCount(lowerBound.guesses)} guesses right)`,
    ...(estimate === null
      ? []
      : [
          `estimate         ${significant(estimate.epsilon)}, lower limit ${lower(estimate.epsilonLower)} at confidence ${significant(estimate.confidence)} if scores are normal; not certified`,
        ]),
    `canaries         ${formatCount(canaries)}, ${formatCount(included)} of them included, over ${formatCount(rounds)} central steps`,
    contradiction(audit) ??
      (claimedEpsilon === null ? 'nothing is claimed' : 'the claim is not contradicted; that is no proof of it'),
    ...caveats,
  ];
  return `${lines.join('\n')}\n`;
}
