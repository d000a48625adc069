import { ConfigError } from '../errors.ts';
import type { PrivacyEvent } from '../privacy/events.ts';
import { PldAccountant } from '../privacy/pld-accountant.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { significant } from '../report/format.ts';
import { svgChart } from '../report/svg-chart.ts';
import { type EpsilonFlags, positive, positiveInteger, samplingOf } from './epsilon.ts';

/** The flags of `dpfl privacy curve` as they were typed. */
export interface CurveFlags extends EpsilonFlags {
  /** delta (default): ε over δ. steps: ε over T. */
  readonly over?: string;
}

export interface CurvePoint {
  readonly steps: number;
  readonly delta: number;
  /** Upper bound; null when none is finite. */
  readonly epsilon: number | null;
  /** Certified lower end; null by RDP. */
  readonly epsilonLower: number | null;
  /** Upper bound by RDP. */
  readonly rdp: number | null;
}

export interface Curve {
  readonly over: 'delta' | 'steps';
  readonly noiseMultiplier: number;
  readonly samplingRate: number;
  readonly accountant: string;
  readonly points: readonly CurvePoint[];
}

const POINTS = 12;

/**
 * ε over δ from 1e-12 to 1e-1 (read the other way: δ over ε), or over the number of steps up to T.
 * @throws ConfigError naming the flag that is wrong
 */
export function curveOfFlags(flags: CurveFlags): Curve {
  const over = flags.over ?? 'delta';
  if (over !== 'delta' && over !== 'steps') throw new ConfigError(`--over: '${over}' is not known; use delta or steps`);
  const name = flags.accountant ?? 'pld';
  if (name !== 'rdp' && name !== 'pld') throw new ConfigError(`--accountant: '${name}' is not known; use pld or rdp`);
  const noiseMultiplier = positive('--noise-multiplier', flags.noiseMultiplier);
  const steps = positiveInteger('--steps', flags.steps);
  const { samplingRate } = samplingOf(flags);
  const fixedDelta = over === 'steps' ? positive('--delta', flags.delta) : null;
  if (fixedDelta !== null && fixedDelta >= 1) throw new ConfigError('--delta: must be below 1');
  const rdp = new RdpAccountant();
  const accountant = name === 'rdp' ? rdp : new PldAccountant();
  const asked =
    fixedDelta === null
      ? Array.from({ length: POINTS }, (_, i) => ({ steps, delta: Number(`1e-${POINTS - i}`) }))
      : spread(steps).map((count) => ({ steps: count, delta: fixedDelta }));
  const points = asked.map(({ steps: count, delta }): CurvePoint => {
    const event: PrivacyEvent = {
      kind: 'selfComposed',
      count,
      event: { kind: 'poissonSampled', samplingRate, event: { kind: 'gaussian', noiseMultiplier } },
    };
    const { epsilon, epsilonLower } = accountant.epsilon(event, delta);
    return {
      steps: count,
      delta,
      epsilon: finite(epsilon),
      epsilonLower,
      rdp: finite(rdp.epsilon(event, delta).epsilon),
    };
  });
  return { over, noiseMultiplier, samplingRate, accountant: name, points };
}

/** Whole numbers up to `most`, evenly spread by ratio. */
function spread(most: number): number[] {
  const values = Array.from({ length: POINTS }, (_, i) => Math.round(most ** ((i + 1) / POINTS)));
  return [...new Set(values)];
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** For people. */
export function curveText(curve: Curve): string {
  const cell = (value: number | null) => (value === null ? '-' : significant(value)).padStart(12);
  return [
    `z = ${significant(curve.noiseMultiplier, 6)}, q = ${significant(curve.samplingRate, 6)}, Poisson sampling, user level, by ${curve.accountant}; upper bounds, and the certified lower end`,
    '',
    `${'steps'.padEnd(10)}${'delta'.padEnd(10)}${'epsilon'.padStart(12)}${'lower end'.padStart(12)}${'by RDP'.padStart(12)}`,
    ...curve.points.map(
      ({ steps, delta, epsilon, epsilonLower, rdp }) =>
        `${String(steps).padEnd(10)}${significant(delta).padEnd(10)}${cell(epsilon)}${cell(epsilonLower)}${cell(rdp)}`,
    ),
    '',
  ].join('\n');
}

/** δ over ε, or ε over steps. */
export function curveChart({ over, noiseMultiplier, samplingRate, accountant, points }: Curve): string {
  const line = (name: string, epsilonOf: (point: CurvePoint) => number | null) => ({
    name,
    points: points.flatMap((point) => {
      const epsilon = epsilonOf(point);
      if (epsilon === null) return [];
      return [over === 'delta' ? ([epsilon, point.delta] as const) : ([point.steps, epsilon] as const)];
    }),
  });
  const lines = [line(accountant.toUpperCase(), ({ epsilon }) => epsilon)];
  if (accountant !== 'rdp') lines.push(line('RDP', ({ rdp }) => rdp));
  return svgChart({
    title: over === 'delta' ? 'δ(ε)' : 'ε over central steps',
    note: `Poisson-sampled Gaussian, z = ${significant(noiseMultiplier)}, q = ${significant(samplingRate)}; upper bounds`,
    x: over === 'delta' ? { label: 'ε', scale: 'linear' } : { label: 'central steps T', scale: 'linear' },
    y: over === 'delta' ? { label: 'δ', scale: 'log' } : { label: 'ε', scale: 'linear' },
    lines,
  });
}
