import { ConfigError } from '../errors.ts';
import type { EpsilonStatement } from '../privacy/accountant.ts';
import type { PrivacyEvent } from '../privacy/events.ts';
import { groupEpsilon } from '../privacy/group-privacy.ts';
import { PldAccountant } from '../privacy/pld-accountant.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { samplingRate } from '../privacy/sampling.ts';
import { formatCount, roundDown, roundUp, significant } from '../report/format.ts';
import { ADJACENCY_WORDS, accountantWords } from '../report/privacy-words.ts';

/** The flags of `dpfl privacy epsilon` as they were typed. */
export interface EpsilonFlags {
  readonly noiseMultiplier?: string;
  readonly samplingRate?: string;
  readonly expectedCohort?: string;
  readonly population?: string;
  readonly steps?: string;
  readonly delta?: string;
  /** Users of a group that is protected together; default 1 */
  readonly groupSize?: string;
  /** pld (the default) or rdp */
  readonly accountant?: string;
}

/** An epsilon and everything it was computed from. */
export interface EpsilonAnswer {
  readonly noiseMultiplier: number;
  readonly samplingRate: number;
  /** Present when q was given as S / K. */
  readonly cohort?: { readonly expected: number; readonly population: number };
  readonly steps: number;
  readonly statement: EpsilonStatement;
  /** For a group of users who are added or removed together; epsilon is Infinity where no finite one holds. */
  readonly group?: { readonly size: number; readonly epsilon: number };
  /** The same by RDP, the accountant of most papers, beside a privacy-loss distribution; null when `statement` is itself by RDP. */
  readonly moments: EpsilonStatement | null;
}

/** What `--json` prints. */
export interface EpsilonJson {
  /** Upper bound; null when none is finite. */
  readonly epsilon: number | null;
  /** Certified lower end; the RDP accountant gives none. */
  readonly epsilonLower: number | null;
  readonly accountant: string;
  /** RDP order; only from RDP. */
  readonly order?: number | null;
  /** Upper bound for the group of --group-size; null when none is finite. */
  readonly group?: { readonly size: number; readonly epsilon: number | null };
}

/** One for all questions of a process: it prices each mechanism once. */
const moments = new RdpAccountant();

/**
 * Epsilon of T steps of the Poisson-sampled Gaussian mechanism.
 * @throws ConfigError naming the flag that is wrong
 */
export function epsilonOfFlags(flags: EpsilonFlags): EpsilonAnswer {
  const name = flags.accountant ?? 'pld';
  if (name !== 'rdp' && name !== 'pld') {
    throw new ConfigError(`--accountant: '${name}' is not known; use pld or rdp`);
  }
  const noiseMultiplier = positive('--noise-multiplier', flags.noiseMultiplier);
  const steps = positiveInteger('--steps', flags.steps);
  const delta = positive('--delta', flags.delta);
  if (delta >= 1)
    throw new ConfigError(`--delta: must be below 1, got ${flags.delta}; usually well below 1 / population`);
  const sampling = samplingOf(flags);
  // Written out rather than made by privacy/ledger.ts, whose zod would double the time this command takes.
  const event: PrivacyEvent = {
    kind: 'selfComposed',
    count: steps,
    event: {
      kind: 'poissonSampled',
      samplingRate: sampling.samplingRate,
      event: { kind: 'gaussian', noiseMultiplier },
    },
  };
  const byMoments = moments.epsilon(event, delta);
  const accountant = name === 'rdp' ? moments : new PldAccountant();
  const statement = name === 'rdp' ? byMoments : accountant.epsilon(event, delta);
  const size = flags.groupSize === undefined ? 1 : positiveInteger('--group-size', flags.groupSize);
  return {
    noiseMultiplier,
    ...sampling,
    steps,
    statement,
    ...(size === 1 ? {} : { group: { size, epsilon: groupEpsilon(accountant, event, delta, size) } }),
    moments: statement.accountant === 'rdp' ? null : byMoments,
  };
}

/** q, from either way of giving it. */
export function samplingOf(
  flags: Pick<EpsilonFlags, 'samplingRate' | 'expectedCohort' | 'population'>,
): Pick<EpsilonAnswer, 'samplingRate' | 'cohort'> {
  const given = flags.expectedCohort ?? flags.population;
  if (flags.samplingRate !== undefined) {
    if (given !== undefined) {
      const other = flags.expectedCohort !== undefined ? '--expected-cohort' : '--population';
      throw new ConfigError(`--sampling-rate: cannot be combined with ${other}; give q, or S and K`);
    }
    const rate = positive('--sampling-rate', flags.samplingRate);
    if (rate > 1) throw new ConfigError(`--sampling-rate: must be at most 1, got ${flags.samplingRate}`);
    return { samplingRate: rate };
  }
  if (given === undefined) {
    throw new ConfigError('--sampling-rate: missing; give it, or --expected-cohort and --population');
  }
  if (flags.population === undefined) throw new ConfigError('--population: missing; --expected-cohort needs it');
  if (flags.expectedCohort === undefined) throw new ConfigError('--expected-cohort: missing; --population needs it');
  const expected = positive('--expected-cohort', flags.expectedCohort);
  const population = positiveInteger('--population', flags.population);
  if (expected > population) {
    throw new ConfigError(
      `--expected-cohort: ${flags.expectedCohort} is above --population ${flags.population} (sampling rate above 1); lower it`,
    );
  }
  return { samplingRate: samplingRate(expected, population), cohort: { expected, population } };
}

/** @throws ConfigError unless the text is a finite number above 0 */
export function positive(flag: string, text: string | undefined): number {
  if (text === undefined) throw new ConfigError(`${flag}: missing`);
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new ConfigError(`${flag}: expected a number, got '${text}'`);
  if (value > 0) return value;
  const why = flag === '--noise-multiplier' && value === 0 ? '; without noise there is no finite epsilon' : '';
  throw new ConfigError(`${flag}: must be above 0, got ${text}${why}`);
}

/** @throws ConfigError unless the text is a whole number above 0 */
export function positiveInteger(flag: string, text: string | undefined): number {
  const value = positive(flag, text);
  if (!Number.isSafeInteger(value)) throw new ConfigError(`${flag}: expected a whole number, got ${text}`);
  return value;
}

/** The answer for programs. */
export function epsilonJson({ statement, group }: EpsilonAnswer): EpsilonJson {
  const { epsilon, epsilonLower, accountant, order } = statement;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  const ends = {
    epsilon: finite(epsilon),
    epsilonLower,
    accountant,
    ...(group ? { group: { size: group.size, epsilon: finite(group.epsilon) } } : {}),
  };
  return accountant === 'rdp' ? { ...ends, order } : ends;
}

/** The answer for people: epsilon, then what it was computed from. */
export function epsilonText(answer: EpsilonAnswer): string {
  const { noiseMultiplier, samplingRate: rate, cohort, steps, statement, group, moments: byMoments } = answer;
  const { epsilon, epsilonLower, delta, fallback } = statement;
  const q = cohort
    ? `q = S / K = ${formatCount(cohort.expected)} / ${formatCount(cohort.population)} = ${significant(rate)}`
    : `q = ${significant(rate)}`;
  const certified =
    epsilonLower === null
      ? ''
      : `; certified to lie in [${significant(roundDown(epsilonLower, 6), 6)}, ${significant(roundUp(epsilon, 6), 6)}]`;
  const beside =
    byMoments === null
      ? []
      : [
          `by RDP, as most papers report it: epsilon ≈ ${significant(byMoments.epsilon, 2)} (at most ${significant(roundUp(byMoments.epsilon, 4))})`,
        ];
  return [
    `epsilon ≈ ${significant(epsilon, 2)}`,
    `(at most ${significant(roundUp(epsilon, 4))} at delta = ${significant(delta)}, user level${certified})`,
    ...(group
      ? [
          `for a group of ${formatCount(group.size)} users: ${Number.isFinite(group.epsilon) ? `epsilon at most ${significant(roundUp(group.epsilon, 4))}` : 'no finite epsilon'}`,
        ]
      : []),
    ...beside,
    `mechanism   Gaussian, noise multiplier z = ${significant(noiseMultiplier, 6)}, ${formatCount(steps)} steps`,
    `sampling    Poisson, ${q}`,
    `accountant  ${accountantWords(statement)}`,
    ...(fallback === undefined ? [] : [`            (no privacy-loss distribution: ${fallback})`]),
    ...(byMoments === null ? [] : [`            beside it ${accountantWords(byMoments)}`]),
    `adjacency   ${ADJACENCY_WORDS['add-or-remove-one-user']}`,
    '',
  ].join('\n');
}
