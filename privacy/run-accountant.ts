import { PrivacyError } from '../errors.ts';
import type { PrivacyAccountant } from './accountant.ts';
import type { Adjacency, PrivacyEvent } from './events.ts';
import { PldAccountant } from './pld-accountant.ts';
import { RdpAccountant } from './rdp-accountant.ts';

/** The accountants that a run may be accounted with. */
export type AccountantName = 'pld' | 'rdp';

/**
 * The accountant of a run: the one that its configuration asks for, else PLD where that prices what the run does, and RDP where not.
 * @param events what the run did, or is to do
 * @throws PrivacyError when the one asked for, or both, cannot account an event, naming it; before any user data is touched
 */
export function runAccountant(
  asked: AccountantName | undefined,
  events: Iterable<PrivacyEvent>,
  adjacency: Adjacency,
): PrivacyAccountant {
  const distinct = new Set(events);
  const unsupportedBy = (accountant: PrivacyAccountant): string | null => {
    for (const event of distinct) {
      const support = accountant.supports(event, adjacency);
      if (!support.supported) return support.event;
    }
    return null;
  };
  const pld = new PldAccountant();
  const rdp = new RdpAccountant();
  if (asked === 'pld') {
    const part = unsupportedBy(pld);
    if (part === null) return pld;
    throw new PrivacyError(`privacy.accountant: pld cannot account this run, ${part}`);
  }
  if (asked === undefined && unsupportedBy(pld) === null) return pld;
  const part = unsupportedBy(rdp);
  if (part === null) return rdp;
  throw new PrivacyError(`privacy.accountant: rdp cannot account this run, ${part}`);
}
