import type { LedgerEntry } from '../privacy/ledger.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { resolvePrivacy } from '../privacy/resolve.ts';
import { runAccountant } from '../privacy/run-accountant.ts';
import type { RoundRecord } from '../server/records.ts';
import { runScale } from '../server/run-config.ts';
import { type Finding, firstDifference, mismatch, ok } from './finding.ts';
import { formatEpsilon, significant } from './format.ts';
import { buildReport } from './model.ts';
import type { RunFiles } from './run-files.ts';

/** Sums of floating-point numbers by another processor's mathematical functions differ by less. */
const TOLERANCE = 1e-9;

/** Lines of `rounds.jsonl` must be rounds 0, 1, 2 …, each once. */
export function verifyRounds(records: readonly RoundRecord[]): Finding[] {
  for (const [index, { round }] of records.entries()) {
    if (round === index) continue;
    return [mismatch(`rounds.jsonl:${index + 1}`, `round ${round} stands where round ${index} is due`)];
  }
  if (records.length === 0) return [mismatch('rounds.jsonl', 'there is no round in it')];
  return [ok('rounds.jsonl', `rounds 0 to ${records.length - 1}, one line each`)];
}

/**
 * Lines of `ledger.jsonl` must account for every round in order. A round may stand again after a crash, and one round may have been accounted that
 * a crash then kept out of `rounds.jsonl`; with seeded noise the first of these does not happen, since the ledger goes back as well.
 */
export function verifyLedger(
  ledger: readonly LedgerEntry[],
  records: readonly RoundRecord[],
  seeded: boolean,
): Finding[] {
  let last = 0;
  for (const [index, { round }] of ledger.entries()) {
    const place = `ledger.jsonl:${index + 1}`;
    if (round > last + 1)
      return [mismatch(place, `round ${round} follows round ${last}; what is between is not accounted`)];
    if (round <= last && seeded) return [mismatch(place, `round ${round} stands again, or out of order`)];
    last = round;
  }
  const recorded = records.length - 1;
  if (last < recorded) {
    return [
      mismatch('ledger.jsonl', `ends with round ${last}, but round ${recorded} was run: epsilon would be too low`),
    ];
  }
  if (last > recorded + 1) {
    return [mismatch('ledger.jsonl', `goes on to round ${last}, but rounds.jsonl ends with round ${recorded}`)];
  }
  const again = ledger.length - last;
  return [
    ok(
      'ledger.jsonl',
      `${ledger.length} entries account for rounds 1 to ${last}${again > 0 ? `, ${again} of them twice` : ''}`,
    ),
  ];
}

/** Epsilon of every record that states one, computed anew from the lines of the ledger up to it. */
export function verifyEpsilon({ config, manifest, ledger }: RunFiles, records: readonly RoundRecord[]): Finding[] {
  const settings = resolvePrivacy(config.privacy, runScale(config, manifest.population));
  const { mechanism, delta } = settings;
  if (mechanism === 'none') {
    const wrong = records.findIndex(({ epsilon }) => epsilon !== null);
    if (wrong >= 0) return [mismatch(`rounds.jsonl:${wrong + 1}`, 'states an epsilon, but the run has no noise')];
    return [ok('epsilon', 'none is claimed: the run has no noise')];
  }
  const lastLine = new Map(ledger.map(({ round }, index) => [round, index]));
  const adjacency = ledger[0]?.adjacency ?? settings.adjacency;
  const accountant = runAccountant(
    config.privacy.accountant,
    ledger.map(({ event }) => event),
    adjacency,
  );
  const total = accountant.start(adjacency);
  // Runs of earlier versions were accounted by RDP, whatever their configuration now means.
  const moments = new RdpAccountant().start(adjacency);
  let spent = 0;
  for (const [index, { round, epsilon }] of records.entries()) {
    for (; spent <= (lastLine.get(round) ?? -1); spent++) {
      total.add(ledger[spent].event);
      moments.add(ledger[spent].event);
    }
    if (epsilon === null && accountant.name === 'pld') continue;
    if (same(epsilon, moments.epsilon(delta).epsilon)) continue;
    const due = total.epsilon(delta).epsilon;
    if (same(epsilon, due)) continue;
    const place = `rounds.jsonl:${index + 1}`;
    return [mismatch(place, `states epsilon ${epsilon} after round ${round}; the ledger gives ${significant(due, 6)}`)];
  }
  for (; spent < ledger.length; spent++) total.add(ledger[spent].event);
  const words = `${formatEpsilon(total.epsilon(delta).epsilon)} at δ = ${significant(delta)}`;
  return [ok('epsilon', `${words} by the ledger, and after every round what rounds.jsonl states of it`)];
}

/** `report.json` must be what the other files give. */
export function verifyReport(text: string, files: RunFiles): Finding[] {
  let stated: unknown;
  try {
    stated = JSON.parse(text);
  } catch {
    return [mismatch('report.json', 'is not JSON')];
  }
  const due: unknown = JSON.parse(JSON.stringify(buildReport(files)));
  const path = firstDifference(stated, due);
  if (path === undefined) return [ok('report.json', 'says what the other files give')];
  return [
    mismatch('report.json', `${path || 'its content'} is not what the other files give; write it again: dpfl report`),
  ];
}

function same(stated: number | null, due: number): boolean {
  if (stated === null) return !Number.isFinite(due);
  return Math.abs(stated - due) <= TOLERANCE * Math.max(1, due);
}
