import { ProtocolError } from '../errors.ts';

/** Keeps a lease below the message limit even when every difference takes ten bytes. */
export const MAX_CLIENTS_PER_LEASE = 100_000;

/** The first id, then the differences of neighbours; sorted ids become small numbers that take one or two bytes. */
export function encodeClientIds(ids: readonly number[]): number[] {
  return ids.map((id, index) => (index === 0 ? id : id - ids[index - 1]));
}

/**
 * The client ids whose differences `deltas` are.
 * @throws ProtocolError when an id is negative or not below 2^53
 */
export function decodeClientIds(deltas: readonly number[]): number[] {
  let id = 0;
  return deltas.map((delta) => {
    id += delta;
    if (!Number.isSafeInteger(id) || id < 0) throw new ProtocolError(`lease: ${id} is not a client id`);
    return id;
  });
}
