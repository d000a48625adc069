import { expect, test } from '@jest/globals';
import { PAPER_ROWS, paperTableText } from '../../cli/paper-table.ts';

const row = { language: 'en', noiseMultiplier: 0.6144, samplingRate: 0.00295, steps: 2034, printed: 7.2, rdp: 7.226 };

test('all 36 rows of the paper are there, the headline among them', () => {
  expect(PAPER_ROWS).toHaveLength(36);
  expect(PAPER_ROWS).toContainEqual(['en', 0.6144, 0.00295, 2034, 7.2]);
});

test('an asterisk marks where PLD is tighter, a dash where there is none', () => {
  const text = paperTableText([
    { ...row, pld: { lower: 6.297, upper: 6.298 } },
    { ...row, pld: { lower: 7.2, upper: 7.22 } },
    { ...row, pld: null, fallback: 'too little noise' },
  ]);
  const [header, tighter, equal, refused] = text.split('\n');
  expect(header!.indexOf('q')).toBe(tighter!.indexOf('0.00295'));
  expect(tighter).toMatch(/^en {3}0\.6144 .* 7\.2 +7\.226 +6\.298 \*$/);
  expect(equal).toMatch(/7\.22$/);
  expect(refused).toMatch(/7\.226 +-$/);
  expect(text).toMatch(/^Extrapolations, not runs/m);
});
