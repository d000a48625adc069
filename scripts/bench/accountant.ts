import { PAPER_ROWS } from '../../cli/paper-table.ts';
import type { PrivacyEvent } from '../../privacy/events.ts';
import { PldAccountant } from '../../privacy/pld-accountant.ts';
import { RdpAccountant } from '../../privacy/rdp-accountant.ts';

const REPETITIONS = 7;

/** Times the accountants: the paper's English table by RDP, and one epsilon by PLD (both ends, interval 1e-4, T = 2006). */
export async function benchAccountant(): Promise<void> {
  const english = PAPER_ROWS.filter(([language]) => language === 'en');
  print(`RDP, ${english.length} rows of the paper's English table, nothing cached`, () => {
    const accountant = new RdpAccountant();
    for (const [, z, q, steps] of english) accountant.epsilon(event(z, q, steps), 1e-9);
  });
  print('PLD, z 2.048, q 0.0295, T 2006, interval 1e-4, both ends', () => {
    new PldAccountant(1e-4).epsilon(event(2.048, 0.0295, 2006), 1e-9);
  });
}

function event(noiseMultiplier: number, samplingRate: number, count: number): PrivacyEvent {
  return {
    kind: 'selfComposed',
    count,
    event: { kind: 'poissonSampled', samplingRate, event: { kind: 'gaussian', noiseMultiplier } },
  };
}

/** First call (cold: nothing compiled) and median of the calls after it. */
function print(what: string, work: () => void): void {
  const times = Array.from({ length: REPETITIONS + 1 }, () => {
    const started = performance.now();
    work();
    return performance.now() - started;
  });
  const [first, ...rest] = times;
  const median = rest.sort((a, b) => a - b)[REPETITIONS >> 1];
  console.log(`${what}: median ${median.toFixed(0)} ms (first call ${first.toFixed(0)} ms)`);
}
