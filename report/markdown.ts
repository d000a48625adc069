import type { ExtrapolatedEpsilon } from '../privacy/extrapolation.ts';
import { auditMarkdown } from './audit.ts';
import {
  formatCount,
  formatDuration,
  formatEpsilon,
  formatMetric,
  formatPercent,
  formatRate,
  roundDown,
  roundUp,
  significant,
} from './format.ts';
import { list, NOT_COVERED_NOTE, table } from './markdown-parts.ts';
import type { Report } from './model.ts';
import type { NoPrivacySection, PrivacySection } from './privacy.ts';
import { ADJACENCY_WORDS, accountantWords, MECHANISM_WORDS, PLACEMENT_WORDS } from './privacy-words.ts';
import type { SimulationSection } from './simulation.ts';
import type { AccuracyPoint, AccuracySection, CohortSection, LayerSection, TimingSection } from './training.ts';

/** The report as Markdown, for people. */
export function reportMarkdown(report: Report): string {
  const { run, accuracy, privacy, audit, extrapolations, layers, cohorts, simulation, timing } = report;
  const sections = [
    `# ${run.name}`,
    runSection(report),
    accuracy ? accuracySection(accuracy) : '',
    privacy.guaranteed ? privacySection(privacy) : noPrivacySection(privacy),
    audit ? auditMarkdown(audit) : '',
    extrapolations.length > 0 ? extrapolationSection(extrapolations, report) : '',
    layers.rows.length > 0 ? layerSection(layers) : '',
    cohorts ? cohortSection(cohorts) : '',
    simulation ? simulationMarkdown(simulation) : '',
    timingSection(timing),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function ending({ finished, endedByBudget }: Report['run']): string {
  if (finished) return '';
  return endedByBudget ? ', ended by `privacy.budget`: the next would exceed it' : ', **not finished**';
}

function runSection({ run }: Report): string {
  const rows: [string, string][] = [
    ['model', run.model],
    ...(run.batchNorm === null ? [] : [['batch normalisation', run.batchNorm] satisfies [string, string]]),
    ...(run.lora === null ? [] : [['adapters', run.lora] satisfies [string, string]]),
    ['data', run.data],
    ['central steps (T)', `${run.completedRounds} of ${run.plannedRounds}${ending(run)}`],
    ['population (K)', formatCount(run.population)],
    ['expected cohort (S)', formatCount(run.expectedCohort)],
    ['local training', run.local],
    ...(run.loss === null ? [] : [['loss', run.loss] satisfies [string, string]]),
    ['central optimizer', run.optimizer],
    ['started from', run.start],
    ['seed model', run.seedModel ?? 'none'],
    ['random seed', String(run.seed)],
    ...Object.entries(run.environment).map(([key, value]): [string, string] => [inWords(key), value]),
  ];
  return `## What was run\n\n${table(['', ''], rows)}`;
}

/** `dataFingerprint` → `data fingerprint`; units such as GiB stay. */
function inWords(key: string): string {
  return key.replace(/[A-Z](?=[a-z]{3})/g, (letter) => ` ${letter.toLowerCase()}`);
}

function accuracySection({ metric, before, after, overRounds }: AccuracySection): string {
  const headline = `${capital(metric.label)} on held-out examples: **${formatMetric(metric, before)} → ${formatMetric(metric, after)}** (round ${before.round} → ${after.round}).`;
  const columns: [string, (point: AccuracyPoint) => string][] = [
    ['round', (point) => String(point.round)],
    ['loss', (point) => significant(point.loss)],
  ];
  if (after.wer !== undefined) columns.push(['WER', (point) => rate(point.wer)]);
  if (after.cer !== undefined) columns.push(['CER', (point) => rate(point.cer)]);
  if (after.accuracy !== undefined) columns.push(['accuracy', (point) => rate(point.accuracy)]);
  if (overRounds.some(({ epsilon }) => epsilon !== null)) {
    columns.push(['ε so far', (point) => (point.epsilon === null ? '–' : formatEpsilon(point.epsilon))]);
  }
  const rows = overRounds.map((point) => columns.map(([, cell]) => cell(point)));
  return [
    '## Accuracy',
    `*Measured on ${formatCount(after.examples)} held-out examples that no user trains on. The guarantee below does not cover these examples.*`,
    headline,
    table(
      columns.map(([name]) => name),
      rows,
    ),
  ].join('\n\n');
}

function privacySection(privacy: PrivacySection): string {
  const { sampling, clipping, noise } = privacy;
  const subject = `released models, all ${formatCount(privacy.steps)} rounds together,`;
  const claim =
    noise.source === 'seeded'
      ? `With secret noise and cohorts in place of the seeded ones of this simulation, the ${subject} would satisfy`
      : `The ${subject} satisfy`;
  const statement =
    `${claim} **user-level (ε = ${formatEpsilon(privacy.epsilon)}, ` +
    `δ = ${significant(privacy.delta)})-differential privacy** with respect to ${ADJACENCY_WORDS[privacy.adjacency]}.`;
  const rows: [string, string][] = [
    ['epsilon (ε)', `${significant(roundUp(privacy.epsilon, 4))} at δ = ${significant(privacy.delta)}`],
    ...(privacy.epsilonLower === null || privacy.steps === 0
      ? []
      : [
          [
            'certified interval',
            `[${significant(roundDown(privacy.epsilonLower, 6), 6)}, ${significant(roundUp(privacy.epsilon, 6), 6)}]; the upper end is reported`,
          ] as [string, string],
        ]),
    ...(privacy.moments === null
      ? []
      : [
          [
            'by RDP, as most papers report it',
            `${significant(roundUp(privacy.moments.epsilon, 4))} (${accountantWords(privacy.moments)})`,
          ] as [string, string],
        ]),
    ['adjacency', ADJACENCY_WORDS[privacy.adjacency]],
    ['mechanism', `${MECHANISM_WORDS[privacy.mechanism]}, ${PLACEMENT_WORDS[noise.placement]}`],
    ...samplingRows(sampling),
    ['clipping', clippingWords(clipping.mode, clipping.bound)],
    ...adaptiveRows(privacy),
    [
      'noise multiplier (z)',
      `${significant(noise.multiplier, 6)} (${privacy.mechanism === 'laplace' ? 'scale b' : 'σ_sum'}; standard deviation ${significant(noise.standardDeviationOnSum)} on the sum)`,
    ],
    ...(noise.groups ?? []).map(({ layers, multiplier }): [string, string] => [
      layers.length > 0 ? `z of ${layers.map((name) => `\`${name}\``).join(', ')}` : 'z of all other layers',
      `${significant(multiplier, 6)}; together z = (Σ 1/z²)^(−1/2)`,
    ]),
    ['the same as σ_DP', `${significant(noise.sigmaDp, 6)} on the average (z / S)`],
    ['the same as σ_client', `${significant(noise.sigmaClient, 6)} on each client's delta`],
    ['central steps (T)', formatCount(privacy.steps)],
    [
      'accountant',
      `${accountantWords(privacy)}${privacy.fallback === undefined ? '' : `; no privacy-loss distribution: ${privacy.fallback}`}`,
    ],
    ['noise source', noise.source],
  ];
  return ['## Privacy', statement, table(['', ''], rows), list(privacy.caveats)].join('\n\n');
}

function adaptiveRows({ adaptive, noise: { split } }: PrivacySection): [string, string][] {
  if (adaptive === undefined) return [];
  const { quantile, learningRate, countNoise } = adaptive;
  return [
    [
      'adaptive bounds',
      `from there on they follow the quantile ${significant(quantile)} of the norms (rate ${significant(learningRate)}, noise of standard deviation ${significant(countNoise)} on each count); noise follows the bounds`,
    ],
    ...(split === undefined
      ? []
      : [
          [
            'budget split',
            `z = ${significant(split.deltas, 6)} on the sum of deltas, ${significant(split.counts, 6)} on the counts; together z = (Σ 1/z²)^(−1/2)`,
          ] satisfies [string, string],
        ]),
  ];
}

function samplingRows(sampling: PrivacySection['sampling']): [string, string][] {
  const users = `K = ${formatCount(sampling.population)} users`;
  const divisor = 'the sum is divided by S, never by the realised cohort';
  const expected = `S = ${formatCount(sampling.expectedCohort)}`;
  if (sampling.kind === 'poisson') {
    return [
      [
        'sampling',
        `Poisson: each of ${users} independently with q = ${significant(sampling.rate, 6)} (${expected}); ${divisor}`,
      ],
    ];
  }
  if (sampling.kind === 'fixedSize') {
    return [
      [
        'sampling',
        `exactly ${formatCount(sampling.cohort)} of ${users} without replacement (${expected}); accounted for replacing one user, which moves the sum by 2·C; ${divisor}`,
      ],
    ];
  }
  if (sampling.kind === 'cyclic') {
    return [
      [
        'sampling',
        `cyclic: exactly ${expected} of ${users} from a shuffled circular order, divided by S; no amplification is claimed`,
      ],
      ['distance of two participations', `at least ${formatCount(sampling.minSeparation)} rounds`],
      ['participations of a user', `at most ${formatCount(sampling.maxParticipations)} in all planned rounds`],
    ];
  }
  return [
    ['sampling', `Poisson cohorts of ${expected} out of ${users}, which local privacy gains nothing from; ${divisor}`],
    ['participations of the busiest user', formatCount(sampling.mostParticipations)],
    ['ε of a single participation', significant(roundUp(sampling.epsilonPerParticipation, 4))],
  ];
}

function noPrivacySection({ reason, caveats }: NoPrivacySection): string {
  return ['## Privacy', `**No differential privacy.** ${reason}`, list(caveats)]
    .filter((part) => part !== '')
    .join('\n\n');
}

function clippingWords(mode: string, bound: number): string {
  const bounds: Readonly<Record<string, string>> = {
    global: 'over the whole delta',
    uniform: 'per layer, C_h = C / √H',
    dim: 'per layer, C_h = C · √(d_h / d)',
    l1: 'sum of magnitudes of the whole delta',
  };
  return `${mode}: norm at most C = ${significant(bound)}, ${bounds[mode] ?? mode}`;
}

function extrapolationSection(extrapolations: readonly ExtrapolatedEpsilon[], { run }: Report): string {
  const intro =
    `**None of these was run.** This run had K = ${formatCount(run.population)} and S = ${formatCount(run.expectedCohort)}. ` +
    'With the same noise on the average (σ_DP), a larger expected cohort has a larger noise multiplier z = σ_DP · S and so a smaller ε; ' +
    'the accuracy above would have to be confirmed at that size (arXiv:2310.00098 §4.3).';
  const rows = extrapolations.map((each) => [
    formatCount(each.population),
    formatCount(each.expectedCohort),
    significant(each.samplingRate),
    significant(each.noiseMultiplier),
    formatCount(each.rounds),
    significant(each.statement.delta),
    `**${formatEpsilon(each.statement.epsilon)}**`,
    each.moments === null ? '–' : formatEpsilon(each.moments.epsilon),
  ]);
  return `## Extrapolation\n\n${intro}\n\n${table(['K', 'S', 'q', 'z', 'T', 'δ', 'ε extrapolated', 'the same by RDP'], rows)}`;
}

function layerSection({ rows }: LayerSection): string {
  const body = rows.map((row) => [
    `\`${row.name}\``,
    maybe(row.meanDeltaNorm, (value) => significant(value)),
    maybe(row.clippedFraction, formatPercent),
    maybe(row.signalToNoise, (value) => significant(value, 3)),
  ]);
  return [
    '## Layers',
    NOT_COVERED_NOTE,
    table(['layer', 'mean delta norm', 'clipped', 'signal to noise'], body),
    'Norms are means over client deltas before clipping. Signal to noise is the norm of the exact average over the expected norm of the noise on it, mean over rounds.',
  ].join('\n\n');
}

function cohortSection(cohorts: CohortSection): string {
  const rows: [string, string][] = [
    ['expected (S)', formatCount(cohorts.expected)],
    ['realised mean', significant(cohorts.mean, 5)],
    ['smallest, largest', `${formatCount(cohorts.smallest)}, ${formatCount(cohorts.largest)}`],
    ['empty rounds', formatCount(cohorts.emptyRounds)],
    ['deltas summed', formatCount(cohorts.contributed)],
    ['deltas rejected (not finite)', formatCount(cohorts.rejectedNonFinite)],
    ...(cohorts.infeasibleTargets > 0
      ? [['CTC targets skipped (longer than their frames)', formatCount(cohorts.infeasibleTargets)] as [string, string]]
      : []),
  ];
  return `## Cohorts\n\n${NOT_COVERED_NOTE}\n\n${table(['', ''], rows)}`;
}

function simulationMarkdown(simulation: SimulationSection): string {
  const share = (part: number) => `${(100 * part).toFixed(1)} %`;
  const rows: [string, string][] = [
    ['simulated time of the run', formatDuration(simulation.seconds)],
    [
      'simulated time of a round, mean and longest',
      `${formatDuration(simulation.meanRoundSeconds)}, ${formatDuration(simulation.longestRoundSeconds)}`,
    ],
    ['sampled clients whose delta was summed', share(simulation.summed)],
    ['unavailable when sampled', share(simulation.unavailable)],
    ['lost before training', share(simulation.lostBeforeTraining)],
    ['lost after training', share(simulation.lostAfterTraining)],
    ['missed the deadline', share(simulation.missedDeadline)],
    [
      'megabytes received, sent per sampled client',
      `${significant(simulation.downloadBytesPerClient / 1e6)}, ${significant(simulation.uploadBytesPerClient / 1e6)}`,
    ],
  ];
  return `## Simulated devices\n\n${NOT_COVERED_NOTE}\n\n${table(['', ''], rows)}`;
}

function timingSection(timing: TimingSection): string {
  const rows: [string, string][] = [
    ['all rounds', formatDuration(timing.totalSeconds)],
    ['client training', formatDuration(timing.trainingSeconds)],
    ['evaluation', formatDuration(timing.evaluationSeconds)],
    ['server', formatDuration(timing.serverSeconds)],
    ['clients per second of training', maybe(timing.clientsPerSecond, formatRate)],
    ['time that workers were busy', maybe(timing.workersBusy, (part) => `${(100 * part).toFixed(1)} %`)],
    ...Object.entries(timing.faults).map(([kind, times]): [string, string] => [
      `faults of workers, made good: ${kind}`,
      formatCount(times),
    ]),
  ];
  return `## Timing\n\n${NOT_COVERED_NOTE}\n\n${table(['', ''], rows)}`;
}

function maybe(value: number | null, format: (value: number) => string): string {
  return value === null ? '–' : format(value);
}

function rate(value: number | undefined): string {
  return value === undefined ? '–' : formatPercent(value);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
