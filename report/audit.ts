import { type Audit, audit } from '../privacy/audit/audit.ts';
import type { AuditScores } from './audit-scores.ts';
import { formatCount, formatEpsilon, roundDown, significant } from './format.ts';
import { list, NOT_COVERED_NOTE, table } from './markdown-parts.ts';
import type { NoPrivacySection, PrivacySection } from './privacy.ts';
import { NOT_COVERED, type NotCovered } from './training.ts';

/** The empirical audit of a run. */
export interface AuditSection extends Audit, NotCovered {
  /** Central steps whose released sums were looked at. */
  readonly rounds: number;
  readonly caveats: readonly string[];
}

/** The audit beside the claim of the privacy section; null before the first central step. */
export function auditSection(
  { round, included, scores }: AuditScores,
  { delta, confidence }: { readonly delta: number; readonly confidence: number },
  privacy: PrivacySection | NoPrivacySection,
): AuditSection | null {
  if (round === 0) return null;
  const claimedEpsilon = privacy.guaranteed ? privacy.epsilon : null;
  const result = audit({ scores, included: included.map(Boolean), delta, confidence, claimedEpsilon });
  return {
    ...NOT_COVERED,
    ...result,
    rounds: round,
    caveats: [
      'Threat model: somebody who sees the noisy sum of every round and knows every canary’s delta, but neither the coins nor the cohorts. Observers of the last model alone see less.',
      'Only what these canaries test is tested: clipping, sum, noise and sampling as they act on random directions at the clipping bound. A lower bound far below the claim proves nothing about the claim.',
      'The lower bound holds at its confidence for any mechanism (Steinke, Nasr & Jagielski 2023). The estimate (after Andrew et al. 2023) and its limit take scores for normal and independent; they are no certificate.',
      'The canaries took part in training: the model holds a little noise more than it would without them. Coins and scores are not private figures of users, but they tell of the sums; do not publish them with a release.',
    ],
  };
}

/** One line that says what contradicts the claim; null when nothing does. */
export function contradiction({ contradictedBy, claimedEpsilon, ...result }: Audit): string | null {
  if (contradictedBy === null || claimedEpsilon === null) return null;
  const { lowerBound, estimate, confidence } = result;
  const found = contradictedBy === 'lowerBound' ? lowerBound.epsilonLower : (estimate?.epsilonLower ?? 0);
  const means =
    contradictedBy === 'lowerBound'
      ? `is at least ${lower(found)} at confidence ${confidence}`
      : `is at least ${lower(found)} at confidence ${significant(estimate?.confidence ?? confidence)}, if scores are normal and independent`;
  return `the audit CONTRADICTS the claim of epsilon ${formatEpsilon(claimedEpsilon)}: by ${result.canaries} canaries epsilon ${means}`;
}

/** The section of report.md. */
export function auditMarkdown(section: AuditSection): string {
  const { lowerBound, estimate, claimedEpsilon, confidence, canaries, included, rounds, delta } = section;
  const wrong = contradiction(section);
  const verdict =
    wrong !== null
      ? `**${wrong.charAt(0).toUpperCase()}${wrong.slice(1)}.** Clipping, noise, sampling or accounting are wrong; do not rely on ε above.`
      : claimedEpsilon === null
        ? 'Nothing is claimed that an audit could contradict.'
        : 'The audit does not contradict the claim. That is no proof of it.';
  const rows: [string, string][] = [
    ['claimed ε', claimedEpsilon === null ? 'none' : formatEpsilon(claimedEpsilon)],
    ['at δ', significant(delta)],
    [
      'lower bound on ε',
      `${lower(lowerBound.epsilonLower)} at confidence ${confidence} (${formatCount(lowerBound.correct)} of ${formatCount(lowerBound.guesses)} guesses right)`,
    ],
    [
      'estimate of ε',
      estimate === null
        ? '–'
        : `${significant(estimate.epsilon)} (lower limit ${lower(estimate.epsilonLower)} at confidence ${significant(estimate.confidence)}, not certified; μ = ${significant(estimate.mu)})`,
    ],
    ['canaries, of them included', `${formatCount(canaries)}, ${formatCount(included)}`],
    ['central steps seen', formatCount(rounds)],
  ];
  return ['## Empirical audit', NOT_COVERED_NOTE, verdict, table(['', ''], rows), list(section.caveats)].join('\n\n');
}

function lower(epsilon: number): string {
  return significant(roundDown(epsilon, 4));
}
