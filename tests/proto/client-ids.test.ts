import { describe, expect, test } from '@jest/globals';
import { ProtocolError } from '../../errors.ts';
import { decodeClientIds, encodeClientIds, MAX_CLIENTS_PER_LEASE } from '../../proto/client-ids.ts';
import { Aggregation, MAX_MESSAGE_BYTES } from '../../proto/load.ts';

const { responseSerialize, responseDeserialize } = Aggregation.service.Work;

function overTheWire(ids: readonly number[]): number[] {
  const message = { lease: { runId: 'r', round: 1, attempt: 1, shard: 0, clientIdDeltas: encodeClientIds(ids) } };
  return decodeClientIds(responseDeserialize(responseSerialize(message)).lease?.clientIdDeltas ?? []);
}

describe('client ids', () => {
  test.each([
    [[]],
    [[0]],
    [[7, 8, 9, 1_000_000]],
    [[5, 5, 3, 0]],
    [[2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER]],
  ])('%j survive the wire', (ids) => {
    expect(overTheWire(ids)).toEqual(ids);
  });

  test('sorted ids of a large population take two bytes each', () => {
    const ids = Array.from({ length: 1000 }, (_, index) => 999_000_000 + 900 * index);
    const bytes = responseSerialize({ lease: { clientIdDeltas: encodeClientIds(ids) } }).byteLength;
    expect(bytes).toBeLessThan(2020);
  });

  test('the largest lease fits a message, whatever the ids', () => {
    const ids = Array.from({ length: MAX_CLIENTS_PER_LEASE }, (_, index) => (index % 2) * Number.MAX_SAFE_INTEGER);
    const message = { lease: { runId: 'a-run-id', round: 2 ** 32 - 1, clientIdDeltas: encodeClientIds(ids) } };
    expect(responseSerialize(message).byteLength).toBeLessThan(MAX_MESSAGE_BYTES);
  });

  test('negative ids are refused', () => {
    expect(() => decodeClientIds([3, -4])).toThrow(ProtocolError);
    expect(() => decodeClientIds([Number.MAX_SAFE_INTEGER, 1])).toThrow(/not a client id/);
  });
});
