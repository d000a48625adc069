import { readFile, stat } from 'node:fs/promises';
import { ConfigError } from '../errors.ts';
import { type PlannedDeployment, type PlanTarget, planDeployment } from '../privacy/plan.ts';
import { PldAccountant } from '../privacy/pld-accountant.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { formatCount, significant } from '../report/format.ts';
import { svgChart } from '../report/svg-chart.ts';
import { positive, positiveInteger } from './epsilon.ts';

/** The flags of `dpfl privacy plan` as they were typed. */
export interface PlanFlags {
  readonly epsilon?: string;
  readonly delta?: string;
  readonly steps?: string;
  readonly samplingRate?: string;
  readonly expectedCohort?: string;
  readonly accountant?: string;
}

/** One training that was measured: noise on the average in units of C, and the error rate it ended with. */
export interface MeasuredRun {
  readonly sigmaDp: number;
  readonly wer: number;
}

/** What a measured run would need to guarantee the target. */
export interface PlanRow extends MeasuredRun {
  readonly kind: 'extrapolation';
  /** Null when 10¹² users are not enough. */
  readonly deployment: PlannedDeployment | null;
}

export interface Plan {
  readonly target: PlanTarget;
  readonly accountant: string;
  /** By falling noise. */
  readonly rows: readonly PlanRow[];
}

/**
 * How many users each measured run would need. @throws ConfigError naming the flag that is wrong
 */
export function planOfFlags(flags: PlanFlags, runs: readonly MeasuredRun[]): Plan {
  const name = flags.accountant ?? 'pld';
  if (name !== 'rdp' && name !== 'pld') throw new ConfigError(`--accountant: '${name}' is not known; use pld or rdp`);
  const delta = positive('--delta', flags.delta);
  if (delta >= 1) throw new ConfigError(`--delta: must be below 1, got ${flags.delta}`);
  if ((flags.samplingRate === undefined) === (flags.expectedCohort === undefined)) {
    throw new ConfigError(
      '--sampling-rate: give it, or --expected-cohort; with one of them fixed the population is found',
    );
  }
  const samplingRate = flags.samplingRate === undefined ? null : positive('--sampling-rate', flags.samplingRate);
  if (samplingRate !== null && samplingRate > 1) throw new ConfigError('--sampling-rate: must be at most 1');
  const target: PlanTarget = {
    epsilon: positive('--epsilon', flags.epsilon),
    delta,
    steps: positiveInteger('--steps', flags.steps),
    cohort:
      samplingRate === null
        ? { expectedCohort: positive('--expected-cohort', flags.expectedCohort) }
        : { samplingRate },
  };
  const accountant = name === 'rdp' ? new RdpAccountant() : new PldAccountant();
  const rows = [...runs]
    .sort((a, b) => b.sigmaDp - a.sigmaDp)
    .map(
      (run): PlanRow => ({
        kind: 'extrapolation',
        ...run,
        deployment: planDeployment(run.sigmaDp, target, accountant),
      }),
    );
  return { target, accountant: name, rows };
}

/**
 * Measured runs from files: JSON (an array of {sigmaDp, wer}), CSV (with that header), or run directories.
 * @throws ConfigError naming file and line
 */
export async function measuredRuns(paths: readonly string[]): Promise<MeasuredRun[]> {
  const runs: MeasuredRun[] = [];
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) throw new ConfigError(`${path}: not found; give run directories, or a .csv or .json file`);
    if (found.isDirectory()) runs.push(await runOfDirectory(path));
    else runs.push(...parseRuns(await readFile(path, 'utf8'), path));
  }
  return runs;
}

async function runOfDirectory(path: string): Promise<MeasuredRun> {
  const [{ buildReport }, { readRunFiles }] = await Promise.all([
    import('../report/model.ts'),
    import('../report/run-files.ts'),
  ]);
  const { privacy, accuracy } = buildReport(await readRunFiles(path));
  if (!privacy.guaranteed) throw new ConfigError(`${path}: this run added no noise; a plan needs its sigma_DP`);
  if (accuracy?.after.wer === undefined) throw new ConfigError(`${path}: no word error rate was measured in this run`);
  return { sigmaDp: privacy.noise.sigmaDp, wer: accuracy.after.wer };
}

/** @throws ConfigError naming the line, or the entry, that is wrong */
export function parseRuns(content: string, path: string): MeasuredRun[] {
  const checked = (sigmaDp: unknown, wer: unknown, where: string): MeasuredRun => {
    if (typeof sigmaDp !== 'number' || typeof wer !== 'number' || !(sigmaDp > 0) || !(wer >= 0)) {
      throw new ConfigError(`${path} ${where}: needs sigmaDp above 0 and wer of 0 or more`);
    }
    return { sigmaDp, wer };
  };
  if (content.trimStart().startsWith('[')) {
    let values: unknown;
    try {
      values = JSON.parse(content);
    } catch (cause) {
      throw new ConfigError(`${path}: not JSON; write an array of {"sigmaDp": …, "wer": …}`, { cause });
    }
    return (values as { sigmaDp?: unknown; wer?: unknown }[]).map((value, index) =>
      checked(value?.sigmaDp, value?.wer, `entry ${index + 1}`),
    );
  }
  const [header, ...lines] = content.split(/\r?\n/);
  const names = header.split(',').map((name) => name.trim());
  const [sigma, wer] = [names.indexOf('sigmaDp'), names.indexOf('wer')];
  if (sigma < 0 || wer < 0) throw new ConfigError(`${path} line 1: the header must name the columns sigmaDp and wer`);
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const cells = line.split(',').map((cell) => (cell.trim() === '' ? Number.NaN : Number(cell)));
    return [checked(cells[sigma], cells[wer], `line ${index + 2}`)];
  });
}

/** For people. */
export function planText({ target, accountant, rows }: Plan): string {
  const lines = rows.map(({ sigmaDp, wer, deployment }) =>
    [
      significant(sigmaDp).padEnd(12),
      significant(wer).padEnd(10),
      ...(deployment === null
        ? ['out of reach: more than 1e12 users']
        : [
            formatCount(deployment.population).padStart(18),
            formatCount(Math.ceil(deployment.expectedCohort)).padStart(16),
            significant(deployment.samplingRate, 3).padStart(11),
            significant(deployment.noiseMultiplier).padStart(10),
            significant(deployment.epsilon).padStart(9),
          ]),
    ].join(''),
  );
  const fixed =
    'samplingRate' in target.cohort
      ? `q = ${significant(target.cohort.samplingRate)}`
      : `S = ${formatCount(target.cohort.expectedCohort)}`;
  return [
    `EXTRAPOLATION: none of these was run at the size it speaks of. Smallest population for epsilon <= ${significant(target.epsilon)} at delta = ${significant(target.delta)},`,
    `T = ${formatCount(target.steps)}, ${fixed}, user level, by ${accountant}, to 1 %; error rates are those measured with the same noise on the average.`,
    '',
    `${'sigma_DP'.padEnd(12)}${'WER'.padEnd(10)}${'population K'.padStart(18)}${'cohort S'.padStart(16)}${'q'.padStart(11)}${'z'.padStart(10)}${'epsilon'.padStart(9)}`,
    ...lines,
    '',
  ].join('\n');
}

/** The trade-off: error rate over the number of users. */
export function planChart({ target, rows }: Plan): string {
  return svgChart({
    title: `Users needed for ε ≤ ${significant(target.epsilon)} at δ = ${significant(target.delta)}`,
    note: 'Extrapolation: error rates measured with the same noise on the average; no point was run at its size.',
    x: { label: 'population K', scale: 'log' },
    y: { label: 'measured word error rate', scale: 'linear' },
    lines: [
      {
        name: 'WER',
        points: rows.flatMap(({ wer, deployment }) =>
          deployment === null ? [] : [[deployment.population, wer] as const],
        ),
      },
    ],
  });
}
