import type { EpsilonStatement } from '../privacy/accountant.ts';
import type { NoisePlacement } from '../privacy/config.ts';
import type { Adjacency } from '../privacy/events.ts';
import { significant } from './format.ts';
import type { RoundNoise } from './round-noise.ts';

/** The adjacency of every epsilon, in words. */
export const ADJACENCY_WORDS = {
  'add-or-remove-one-user': 'adding or removing all data of one user',
  'replace-one-user': 'replacing all data of one user by any other',
  'zero-out-one-user': 'replacing the contributions of one user by zero',
} as const satisfies Record<Adjacency, string>;

/** The noise of a run, in words. */
export const MECHANISM_WORDS = {
  gaussian: 'Gaussian noise',
  discreteGaussian: 'discrete Gaussian noise (exact draws)',
  laplace: 'discrete Laplace noise (exact draws)',
  treeAggregation: 'Gaussian noise on the nodes of a binary tree over central steps (DP-FTRL)',
  bandedMatrix: 'Gaussian noise correlated over central steps by a banded matrix (DP-FTRL)',
} as const satisfies Record<RoundNoise['mechanism'], string>;

/** Where noise is added, in words. */
export const PLACEMENT_WORDS = {
  central: 'added once per central step to the exact sum of clipped client deltas',
  shares: 'in shares that the clients of a central step add to their clipped deltas',
  local: 'added by every client to its own clipped delta',
} as const satisfies Record<NoisePlacement, string>;

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
