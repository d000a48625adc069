import type { PrivacyAccountant } from '../privacy/accountant.ts';
import { mechanismStep, type PrivacyEvent } from '../privacy/events.ts';
import { ledgerEntry } from '../privacy/ledger.ts';
import { resolvePrivacy } from '../privacy/resolve.ts';
import { accountantOf, type PrivacyRecord } from './privacy-record.ts';

/** Whether one more round like the configured ones would exceed the run's budget. */
export function budgetIsSpent(record: PrivacyRecord, accountant: PrivacyAccountant = accountantOf(record)): boolean {
  const { budget } = record.privacy;
  if (budget === undefined) return false;
  const { roundEvent } = resolvePrivacy(record.privacy, record);
  const last = record.ledger.at(-1);
  const planned = last === undefined ? roundEvent : followingEvent(last.event);
  const next = ledgerEntry(record.ledger.length + 1, planned, last?.adjacency);
  return accountant.epsilon([...record.ledger, next], budget.delta).epsilon > budget.epsilon;
}

/** What the round after one with `event` would append. */
function followingEvent(event: PrivacyEvent): PrivacyEvent {
  // With local noise the busiest user may take part once more, whoever was sampled last.
  if (event.kind === 'selfComposed') return event.event;
  if (event.kind !== 'mechanismStep') return event;
  const { mechanism, step, instance } = event;
  return mechanismStep(mechanism, Math.min(step + 1, mechanism.steps), instance);
}
