import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
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
  print('RDP, one setting, nothing cached', () => {
    new RdpAccountant().epsilon(event(2.048, 0.0295, 2006), 1e-9);
  });
  print('start of the command line (dpfl --version)', () => {
    spawnSync(process.execPath, [fileURLToPath(new URL('../../cli/main.js', import.meta.url)), '--version']);
  });
  besideDpAccounting();
}

/** The same two settings by Google's dp_accounting, where python3 has it: medians of three in one process. */
const DP_ACCOUNTING = `
import time, statistics as st
import dp_accounting as d
from dp_accounting import rdp, pld
e = d.SelfComposedDpEvent(d.PoissonSampledDpEvent(0.0295, d.GaussianDpEvent(2.048)), 2006)
def ms(make):
    t = []
    for _ in range(3):
        s = time.perf_counter(); a = make(); a.compose(e); a.get_epsilon(1e-9); t.append(time.perf_counter() - s)
    return st.median(t) * 1e3
print(f'dp_accounting: RDP of one setting {ms(rdp.RdpAccountant):.0f} ms, PLD (upper end alone) {ms(pld.PLDAccountant):.0f} ms')
`;

function besideDpAccounting(): void {
  const { status, stdout } = spawnSync('python3', ['-c', DP_ACCOUNTING], { encoding: 'utf8' });
  console.log(status === 0 ? stdout.trim() : 'dp_accounting: not present for python3, so no ratio');
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
