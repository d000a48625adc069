import { describe, expect, test } from '@jest/globals';
import { curveChart, curveOfFlags, curveText } from '../../cli/curve.ts';
import { parseRuns, planChart, planOfFlags, planText } from '../../cli/plan.ts';
import { ConfigError } from '../../errors.ts';
import { gaussian, poissonSampled, selfComposed } from '../../privacy/events.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';

const runs = [
  { sigmaDp: 1e-5, wer: 0.3 },
  { sigmaDp: 1e-3, wer: 0.5 },
];
const asked = { epsilon: '8', delta: '1e-9', steps: '2000', accountant: 'rdp' };

describe('dpfl privacy plan', () => {
  test('the smallest population that reaches epsilon: it does, and 2 % fewer users would not', () => {
    const { rows } = planOfFlags({ ...asked, samplingRate: '0.003' }, runs);
    expect(rows.map(({ sigmaDp }) => sigmaDp)).toEqual([1e-3, 1e-5]);
    for (const { kind, sigmaDp, deployment } of rows) {
      expect(kind).toBe('extrapolation');
      const epsilonOf = (population: number) => {
        const event = poissonSampled(0.003, gaussian(sigmaDp * 0.003 * population));
        return new RdpAccountant().epsilon(selfComposed(event, 2000), 1e-9).epsilon;
      };
      const population = deployment?.population ?? 0;
      expect(deployment?.expectedCohort).toBeCloseTo(0.003 * population, 6);
      expect(epsilonOf(population)).toBeLessThanOrEqual(8);
      expect(epsilonOf(0.98 * population)).toBeGreaterThan(8);
    }
  });

  test('with a fixed cohort only the population grows; what no population reaches is said', () => {
    const { rows } = planOfFlags({ ...asked, expectedCohort: '100000' }, [...runs, { sigmaDp: 1e-9, wer: 0.1 }]);
    expect(rows[1].deployment).toMatchObject({ expectedCohort: 100_000, noiseMultiplier: 1 });
    expect(rows[2].deployment).toBeNull();
  });

  test('text and chart say that it is an extrapolation', () => {
    const plan = planOfFlags({ ...asked, samplingRate: '0.003' }, runs);
    expect(planText(plan)).toMatch(/^EXTRAPOLATION: none of these was run/);
    const chart = planChart(plan);
    expect(chart).toMatch(/^<svg xmlns/);
    expect(chart).toContain('Extrapolation: ');
    expect(chart.match(/<circle/g)).toHaveLength(2);
    expect(chart).not.toContain('NaN');
  });

  test('reads CSV and JSON, and names the line that is wrong', () => {
    expect(parseRuns('wer, sigmaDp\n0.3,1e-5\n\n0.5,1e-3\n', 'm.csv')).toEqual(runs);
    expect(parseRuns(JSON.stringify(runs), 'm.json')).toEqual(runs);
    expect(() => parseRuns('sigmaDp,wer\n1e-5,0.3\n1e-5,\n', 'm.csv')).toThrow('m.csv line 3: needs sigmaDp');
    expect(() => parseRuns('sigma,wer\n', 'm.csv')).toThrow('m.csv line 1');
    expect(() => parseRuns('[{"sigmaDp": 0, "wer": 1}]', 'm.json')).toThrow('m.json entry 1');
    for (const flags of [asked, { ...asked, samplingRate: '0.1', expectedCohort: '5' }]) {
      expect(() => planOfFlags(flags, runs)).toThrow(ConfigError);
    }
  });
});

describe('dpfl privacy curve', () => {
  const flags = { noiseMultiplier: '1', samplingRate: '0.01', steps: '100', accountant: 'rdp' };
  test('epsilon falls with delta and grows with steps, as the accountant says', () => {
    const { points } = curveOfFlags(flags);
    expect(points.map(({ delta }) => delta)).toEqual(Array.from({ length: 12 }, (_, i) => Number(`1e-${12 - i}`)));
    expect(points[6].epsilon).toBe(
      new RdpAccountant().epsilon(selfComposed(poissonSampled(0.01, gaussian(1)), 100), 1e-6).epsilon,
    );
    const over = curveOfFlags({ ...flags, over: 'steps', delta: '1e-6' });
    expect(over.points[over.points.length - 1].epsilon).toBe(points[6].epsilon);
    for (const curve of [points.map((p) => -(p.epsilon ?? 0)), over.points.map((p) => p.epsilon ?? 0)]) {
      expect(curve).toEqual([...curve].sort((a, b) => a - b));
    }
    expect(curveText(over)).toContain('epsilon');
    expect(curveChart(over)).not.toContain('NaN');
  });

  test('wrong flags are named', () => {
    expect(() => curveOfFlags({ ...flags, over: 'time' })).toThrow('--over');
    expect(() => curveOfFlags({ ...flags, over: 'steps' })).toThrow('--delta');
  });
});
