import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { DataError, ProtocolError } from '../../errors.ts';
import { ParameterLayout } from '../../params/layout.ts';
import { type PayloadChunk, splitPayload } from '../../proto/chunks.ts';
import { bytesOfFloats } from '../../proto/floats.ts';
import { bytesOfSum } from '../../proto/sums.ts';
import { RoundAggregator } from '../../server/aggregation.ts';
import { RejectedMessage } from '../../server/faults.ts';
import { SpooledSum } from '../../server/spooled-sum.ts';
import { SumReceiver } from '../../server/sum-receiver.ts';

const SIZE = 700_001;
const directory = mkdtempSync(join(tmpdir(), 'dpfl-spool-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const values = (factor = 1) => Float64Array.from({ length: SIZE }, (_, index) => (index - 1000) * factor);
const receive = (receiver: SumReceiver, chunks: readonly PayloadChunk[]) =>
  chunks.map((chunk) => receiver.add(chunk)).at(-1);

describe.each([
  ['in memory', Number.POSITIVE_INFINITY],
  ['on the disk', 0],
])('a sum %s', (_, memoryBytes) => {
  const receiver = () => new SumReceiver(8 * SIZE, { memoryBytes, directory });

  test.each([
    [8, bytesOfFloats],
    [4, bytesOfSum],
  ])('arrives bit for bit in %i bytes a value, leaves no file, and is added like any other', (width, bytesOf) => {
    const payload = bytesOf(values());
    expect(payload.byteLength).toBe(width * SIZE);
    const sum = receive(receiver(), splitPayload(payload));
    if (sum === undefined) throw new Error('it did not arrive');
    expect(sum instanceof SpooledSum).toBe(memoryBytes === 0);
    expect(readdirSync(directory)).toEqual([]);
    const layout = new ParameterLayout([{ name: 'w', shape: [SIZE] }]);
    const aggregator = new RoundAggregator(layout);
    aggregator.begin([[1], [2]]);
    const figures = {
      contributed: 1,
      rejectedNonFinite: 0,
      lossSum: 0,
      examples: 1,
      deltaNormSums: new Float64Array(1),
      clippedCounts: new Float64Array(1),
      infeasibleTargets: 0,
      seconds: { total: 0, data: 0, training: 0, clipping: 0 },
    };
    aggregator.add(0, { ...figures, sum });
    aggregator.add(1, { ...figures, sum: values(3) });
    if (sum instanceof SpooledSum) sum.dispose();
    expect(Buffer.compare(bytesOfFloats(aggregator.finish().sum), bytesOfFloats(values(4)))).toBe(0);
  });

  test('that is damaged or broken off is refused whole, and another may follow', () => {
    const target = receiver();
    const chunks = splitPayload(bytesOfFloats(values()));
    const damaged = chunks.map((chunk, index) => {
      if (index !== chunks.length - 1) return chunk;
      return { ...chunk, data: new Uint8Array(chunk.data.byteLength) };
    });
    expect(() => receive(target, damaged)).toThrow(/SHA-256 does not match/);
    target.add(chunks[0]);
    target.abandon();
    expect(() => target.add({ ...chunks[2] })).toThrow(ProtocolError);
    expect(receive(target, chunks)?.length).toBe(SIZE);
  });

  test.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('that holds %d is refused', (wrong) => {
    const sum = values();
    sum[SIZE - 1] = wrong;
    expect(() => receive(receiver(), splitPayload(bytesOfFloats(sum)))).toThrow(RejectedMessage);
  });
});

test('a directory that takes no files is named, with the mend', () => {
  const receiver = new SumReceiver(8 * SIZE, { memoryBytes: 0, directory: join(directory, 'none') });
  const [first] = splitPayload(bytesOfFloats(values()));
  expect(() => receiver.add(first)).toThrow(DataError);
  expect(() => receiver.add(first)).toThrow(
    /none: a shard's sum .* cannot be stored .*; make room there, or set TMPDIR/,
  );
});
