import type { EpsilonStatement } from '../privacy/accountant.ts';
import type { Adjacency } from '../privacy/events.ts';
import { significant } from './format.ts';

/** The adjacency of every epsilon, in words. */
export const ADJACENCY_WORDS = {
  'add-or-remove-one-user': 'adding or removing all data of one user',
  'replace-one-user': 'replacing all data of one user by any other',
  'zero-out-one-user': 'replacing the contributions of one user by zero',
} as const satisfies Record<Adjacency, string>;

const ACCOUNTANTS: Readonly<Record<string, string>> = {
  rdp: 'Rényi DP (moments accountant)',
  pld: 'privacy-loss distribution (certified interval)',
};

const CONVERSIONS = {
  classic: 'classic conversion (Mironov 2017)',
  improved: 'improved conversion (Balle et al. 2020; Canonne et al. 2020)',
} as const;

/** How an epsilon was computed, as a privacy engineer says it: accountant, order and conversion. */
export function accountantWords({
  accountant,
  order,
  conversion,
}: Pick<EpsilonStatement, 'accountant' | 'order' | 'conversion'>): string {
  const name = ACCOUNTANTS[accountant] ?? accountant;
  if (order === null || conversion === null) return name;
  return `${name}, order ${significant(order)}, ${CONVERSIONS[conversion]}`;
}
