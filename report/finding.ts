/** What a verification found out about one file of a run directory, or one claim in it. */
export interface Finding {
  /** `unchecked`: it could not be found out, for the reason given. */
  readonly status: 'ok' | 'mismatch' | 'unchecked';
  /** File, with the line where there is one: `ledger.jsonl:7`. */
  readonly place: string;
  readonly message: string;
}

export const ok = (place: string, message: string): Finding => ({ status: 'ok', place, message });
export const mismatch = (place: string, message: string): Finding => ({ status: 'mismatch', place, message });
export const unchecked = (place: string, message: string): Finding => ({ status: 'unchecked', place, message });

/**
 * The first place at which two JSON values differ, as a dotted path ('' for the values themselves); undefined when they are equal.
 * Keys whose value is undefined count as absent.
 */
export function firstDifference(a: unknown, b: unknown, path = ''): string | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return path;
  if (Array.isArray(a) !== Array.isArray(b)) return path;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const found = firstDifference(left[key], right[key], path === '' ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
