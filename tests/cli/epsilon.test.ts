import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { type EpsilonFlags, epsilonJson, epsilonOfFlags, epsilonText } from '../../cli/epsilon.ts';
import { epsilonBatch } from '../../cli/epsilon-batch.ts';
import { ConfigError } from '../../errors.ts';

/** The headline of arXiv:2310.00098: (7.2, 1e-9). */
const HEADLINE: EpsilonFlags = {
  noiseMultiplier: '0.6144',
  expectedCohort: '204800',
  population: '69506000',
  steps: '2034',
  delta: '1e-9',
};
const RATE: EpsilonFlags = { noiseMultiplier: '1', samplingRate: '0.01', steps: '100', delta: '1e-6' };

describe('dpfl privacy epsilon --batch', () => {
  const answers = async (text: string) => {
    const directory = await mkdtemp(join(tmpdir(), 'dpfl-batch-'));
    try {
      const path = join(directory, 'cases.jsonl');
      await writeFile(path, text);
      const all = [];
      for await (const answer of epsilonBatch(path)) all.push(answer);
      return all;
    } finally {
      await rm(directory, { recursive: true });
    }
  };

  test('one answer per line, each by its own accountant', async () => {
    const line = { noiseMultiplier: 1, samplingRate: 0.01, steps: 100, delta: 1e-6 };
    const text = `${JSON.stringify(line)}\n\n${JSON.stringify({ ...line, accountant: 'rdp' })}\n`;
    const expected = ['pld', 'rdp'].map((accountant) => epsilonJson(epsilonOfFlags({ ...RATE, accountant })));
    expect(await answers(text)).toEqual(expected);
  });

  test.each([
    ['{', 'cases.jsonl line 1: not JSON'],
    ['[1]', 'cases.jsonl line 1: not an object'],
    ['\n{"sigma":1}', 'cases.jsonl line 2: sigma: unknown key'],
    ['{"noiseMultiplier":0}', 'cases.jsonl line 1: noiseMultiplier: must be above 0'],
    ['{"noiseMultiplier":1}', 'cases.jsonl line 1: steps: missing'],
  ])('%s is refused by file, line and key', async (text, message) => {
    await expect(answers(text)).rejects.toThrow(ConfigError);
    await expect(answers(text)).rejects.toThrow(message);
  });
});

describe('dpfl privacy epsilon', () => {
  test('prints 6.3 and its interval for the headline of the paper, and beside it the 7.2 of RDP', () => {
    const text = epsilonText(epsilonOfFlags(HEADLINE));
    expect(text).toMatch(/^epsilon ≈ 6\.3\n/);
    expect(text).toMatch(/certified to lie in \[6\.29\d+, 6\.29\d+\]/);
    expect(text).toMatch(/\nby RDP, as most papers report it: epsilon ≈ 7\.2 /);
  });

  test('by RDP prints 7.2, and what it was computed from', () => {
    const text = epsilonText(epsilonOfFlags({ ...HEADLINE, accountant: 'rdp' }));
    expect(text).toMatch(/^epsilon ≈ 7\.2\n/);
    expect(text).toContain('q = S / K = 204,800 / 69,506,000 = 0.002947');
    // the paper prints order 3, but 4 gives the smaller epsilon, on its own list of orders too
    expect(text).toContain('order 4');
    expect(text).toContain('improved conversion');
    expect(text).toContain('adding or removing all data of one user');
  });

  // Opacus, default orders, improved conversion
  test.each([
    ['2.048', '102400', '3475300', '2006', 4.445],
    ['1.024', '204800', '69506000', '2034', 1.923],
    ['0.512', '51200', '1737650', '2006', 70.39],
  ])(
    'z %s, S %s, K %s, T %s gives the Opacus figure',
    (noiseMultiplier, expectedCohort, population, steps, epsilon) => {
      const answer = epsilonOfFlags({
        noiseMultiplier,
        expectedCohort,
        population,
        steps,
        delta: '1e-9',
        accountant: 'rdp',
      });
      // reference values are for q rounded to three digits
      expect(Math.abs(answer.statement.epsilon / epsilon - 1)).toBeLessThan(5e-3);
    },
  );

  test('JSON has exactly the documented keys', () => {
    const certified = epsilonJson(epsilonOfFlags(HEADLINE));
    expect(Object.keys(certified)).toEqual(['epsilon', 'epsilonLower', 'accountant']);
    expect(certified.accountant).toBe('pld');
    expect(certified.epsilonLower).toBeLessThan(certified.epsilon ?? 0);
    const json = epsilonJson(epsilonOfFlags({ ...HEADLINE, accountant: 'rdp' }));
    expect(Object.keys(json)).toEqual(['epsilon', 'epsilonLower', 'accountant', 'order']);
    expect(json).toMatchObject({ epsilonLower: null, accountant: 'rdp', order: 4 });
    expect(json.epsilon).toBeCloseTo(7.22, 1);
  });

  test('q and S / K are the same question', () => {
    const { samplingRate: _, ...rest } = RATE;
    const cohort = { ...rest, expectedCohort: '100', population: '10000' };
    expect(epsilonOfFlags(RATE).statement).toEqual(epsilonOfFlags(cohort).statement);
  });

  test.each<[string, Partial<EpsilonFlags>, string]>([
    ['q > 1', { samplingRate: '1.5' }, '--sampling-rate: must be at most 1'],
    ['q = 0', { samplingRate: '0' }, '--sampling-rate: must be above 0'],
    ['both forms', { population: '100' }, '--sampling-rate: cannot be combined with --population'],
    ['both forms', { expectedCohort: '100' }, '--sampling-rate: cannot be combined with --expected-cohort'],
    ['no form', { samplingRate: undefined }, '--sampling-rate: missing'],
    ['K missing', { samplingRate: undefined, expectedCohort: '10' }, '--population: missing'],
    ['S missing', { samplingRate: undefined, population: '10' }, '--expected-cohort: missing'],
    ['S > K', { samplingRate: undefined, expectedCohort: '11', population: '10' }, '--expected-cohort: 11 is above'],
    [
      'K not whole',
      { samplingRate: undefined, expectedCohort: '1', population: '9.5' },
      '--population: expected a whole',
    ],
    ['z = 0', { noiseMultiplier: '0' }, '--noise-multiplier: must be above 0, got 0; without noise'],
    ['z < 0', { noiseMultiplier: '-1' }, '--noise-multiplier: must be above 0'],
    ['z not a number', { noiseMultiplier: 'much' }, "--noise-multiplier: expected a number, got 'much'"],
    ['z empty', { noiseMultiplier: '' }, "--noise-multiplier: expected a number, got ''"],
    ['T not whole', { steps: '1.5' }, '--steps: expected a whole number'],
    ['delta 1', { delta: '1' }, '--delta: must be below 1'],
    ['delta 0', { delta: '0' }, '--delta: must be above 0'],
    ['accountant', { accountant: 'magic' }, "--accountant: 'magic' is not known"],
  ])('%s is refused by the name of the flag', (_what, change, message) => {
    const ask = () => epsilonOfFlags({ ...RATE, ...change });
    expect(ask).toThrow(ConfigError);
    expect(ask).toThrow(message);
  });
});

test('--group-size: a bound for several users together, above that for one', () => {
  const flags = { noiseMultiplier: '1', samplingRate: '0.001', steps: '100', delta: '1e-6' };
  const alone = epsilonOfFlags(flags);
  const answer = epsilonOfFlags({ ...flags, groupSize: '3' });
  expect(alone.group).toBeUndefined();
  expect(answer.statement).toEqual(alone.statement);
  expect(answer.group?.epsilon).toBeGreaterThan(2 * alone.statement.epsilon);
  expect(epsilonText(answer)).toMatch(/^for a group of 3 users: epsilon at most /m);
  expect(epsilonJson(answer).group).toEqual(answer.group);
  expect(() => epsilonOfFlags({ ...flags, groupSize: '1.5' })).toThrow('--group-size');
});
