import { describe, expect, test } from '@jest/globals';
import { PrivacyError } from '../../errors.ts';
import {
  composed,
  discreteGaussian,
  fixedSizeSampled,
  gaussian,
  laplace,
  matrixMechanism,
  mechanismStep,
  nonPrivate,
  poissonSampled,
  selfComposed,
  treeAggregation,
} from '../../privacy/events.ts';
import { formatLedgerEntry, ledgerEntry, parseLedger } from '../../privacy/ledger.ts';

const entries = [
  ledgerEntry(1, poissonSampled(1024 / 34_753, gaussian(0.6144))),
  ledgerEntry(2, composed([gaussian(1), selfComposed(poissonSampled(0.1, gaussian(2)), 5)])),
  ledgerEntry(3, nonPrivate('no noise')),
  ledgerEntry(4, laplace(2), 'replace-one-user'),
  ledgerEntry(5, fixedSizeSampled(10, 1000, discreteGaussian(4096, 1024.5, 7)), 'replace-one-user'),
  ledgerEntry(
    6,
    mechanismStep(treeAggregation({ noiseMultiplier: 3, steps: 8, maxParticipations: 2, minSeparation: 4 }), 8, 1),
    'zero-out-one-user',
  ),
  ...[
    { kind: 'toeplitz', coefficients: [1, 0.5] } as const,
    { kind: 'banded', bands: 3, columnNorm: 1.5 } as const,
  ].map((strategy) =>
    ledgerEntry(
      7,
      mechanismStep(
        matrixMechanism({ noiseMultiplier: 3, steps: 9, maxParticipations: 3, minSeparation: 3, strategy }),
        1,
      ),
      'zero-out-one-user',
    ),
  ),
];

describe('events', () => {
  test('are frozen, also inside', () => {
    const event = composed([poissonSampled(0.5, gaussian(1))]);
    expect(Object.isFrozen(event) && Object.isFrozen(event.events) && Object.isFrozen(event.events[0])).toBe(true);
    expect(() => Object.assign(event.events[0], { samplingRate: 0 })).toThrow(TypeError);
  });

  test('refuse parameters without meaning', () => {
    for (const z of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => gaussian(z)).toThrow(PrivacyError);
    for (const q of [-0.1, 1.1, Number.NaN]) expect(() => poissonSampled(q, gaussian(1))).toThrow(PrivacyError);
    for (const count of [-1, 1.5]) expect(() => selfComposed(gaussian(1), count)).toThrow(PrivacyError);
    expect(() => ledgerEntry(0, gaussian(1))).toThrow(PrivacyError);
    expect(() => laplace(0)).toThrow(PrivacyError);
    expect(() => discreteGaussian(1, 1, 0.5)).toThrow(PrivacyError);
    expect(() => fixedSizeSampled(11, 10, gaussian(1))).toThrow('cohort 11 exceeds the population 10');
    const tree = treeAggregation({ noiseMultiplier: 1, steps: 4, maxParticipations: 1, minSeparation: 1 });
    expect(() => mechanismStep(tree, 5)).toThrow(PrivacyError);
    expect(() => treeAggregation({ ...tree, minSeparation: 0 })).toThrow(PrivacyError);
    const zero = { kind: 'toeplitz', coefficients: [0] } as const;
    expect(() => matrixMechanism({ ...tree, strategy: zero })).toThrow(PrivacyError);
  });
});

describe('ledger.jsonl', () => {
  test('what is written is read back, bit for bit and frozen', () => {
    const text = entries.map((entry) => `${formatLedgerEntry(entry)}\n`).join('');
    expect(text.split('\n')).toHaveLength(entries.length + 1);
    const read = parseLedger(text);
    expect(read).toEqual(entries);
    expect(read.every((entry) => Object.isFrozen(entry) && Object.isFrozen(entry.event))).toBe(true);
  });

  test('a ledger written before there were other events and adjacencies is read as ever', () => {
    const old =
      '{"round":1,"adjacency":"add-or-remove-one-user","event":{"kind":"poissonSampled","samplingRate":0.0008,"event":{"kind":"gaussian","noiseMultiplier":0.5}}}\n';
    expect(parseLedger(old)).toEqual([ledgerEntry(1, poissonSampled(0.0008, gaussian(0.5)))]);
  });

  test('an event that contradicts itself is refused with its line', () => {
    const line = formatLedgerEntry(entries[4]).replace('"cohort":10', '"cohort":1001');
    expect(() => parseLedger(line)).toThrow('ledger line 1: event fixedSizeSampled: cohort 1001 exceeds');
  });

  test('a line is plain JSON with its adjacency', () => {
    expect(formatLedgerEntry(ledgerEntry(7, poissonSampled(0.5, gaussian(1))))).toBe(
      '{"round":7,"adjacency":"add-or-remove-one-user","event":{"kind":"poissonSampled","samplingRate":0.5,"event":{"kind":"gaussian","noiseMultiplier":1}}}',
    );
  });

  const good = formatLedgerEntry(entries[0]);
  test.each([
    ['cut off', good.slice(0, 40), 'ledger line 3: not JSON'],
    ['unknown kind', good.replace('"gaussian"', '"cauchy"'), 'ledger line 3: event.event.kind:'],
    ['negative noise', good.replace('0.6144', '-1'), 'ledger line 3: event.event.noiseMultiplier:'],
    ['zero noise', good.replace('0.6144', '0'), 'ledger line 3: event.event.noiseMultiplier:'],
    ['rate above 1', good.replace(/"samplingRate":[\d.]+/, '"samplingRate":2'), 'ledger line 3: event.samplingRate:'],
    ['other adjacency', good.replace('add-or-remove-one-user', 'swap-two-users'), 'ledger line 3: adjacency:'],
    ['unknown key', good.replace('"round"', '"note":"x","round"'), 'ledger line 3: '],
    ['no round', good.replace('"round":1,', ''), 'ledger line 3: round:'],
  ])('%s: the error names the line and the key', (_, line, message) => {
    expect(() => parseLedger(`${good}\n\n${line}\n`)).toThrow(message);
    expect(() => parseLedger(`${good}\n\n${line}\n`)).toThrow(PrivacyError);
  });
});
