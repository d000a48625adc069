import type { NoisePlacement } from '../privacy/config.ts';
import type { LedgerEntry } from '../privacy/ledger.ts';
import type { ResolvedPrivacy } from '../privacy/resolve.ts';
import { significant } from './format.ts';
import type { PrivacyRecord } from './privacy-record.ts';
import { plannedNoise, type RoundNoise, sameNoise } from './round-noise.ts';

/** What the caveats say of the figures they stand beside. */
interface StatedFigures {
  readonly epsilon: number;
  /** Whether all rounds of the ledger had the noise that is shown. */
  readonly uniform: boolean;
  readonly shown: Pick<RoundNoise, 'multiplier' | 'rate'>;
}

/** What a guarantee rests on and what it leaves out, one sentence each. */
export function guaranteeCaveats(
  record: PrivacyRecord,
  settings: ResolvedPrivacy,
  { epsilon, uniform, shown }: StatedFigures,
): string[] {
  return [
    ...ledgerCaveats(record.ledger, uniform, shown, settings),
    ...settings.warnings.map(sentence),
    ...protectionCaveat(epsilon),
    noiseSourceCaveat(settings),
    PLACEMENT_CAVEATS[settings.noisePlacement],
    startCaveat(record),
    ...weightingCaveat(record),
    ...(record.simulated ? dropoutCaveats(record) : []),
    ...(record.userMeaning === undefined ? [] : [sentence(record.userMeaning)]),
    'Hyper-parameter tuning is not accounted: every further run on the same users adds to their privacy loss.',
    'Figures marked as not covered (losses, norms, cohort sizes, timing) were released without noise and are outside the guarantee.',
  ];
}

function ledgerCaveats(
  ledger: readonly LedgerEntry[],
  uniform: boolean,
  shown: Pick<RoundNoise, 'multiplier' | 'rate'>,
  settings: ResolvedPrivacy,
): string[] {
  const caveats: string[] = [];
  if (!uniform) {
    caveats.push(
      'The ledger has steps with different noise or sampling: epsilon accounts each as it was, the figures shown are those of the first.',
    );
  }
  const planned = plannedNoise(settings);
  if (!sameNoise(shown, planned)) {
    caveats.push(
      `The ledger (z = ${significant(shown.multiplier)}, q = ${significant(shown.rate)}) disagrees with config.yaml (z = ${significant(planned.multiplier)}, q = ${significant(planned.rate)}): epsilon follows the ledger.`,
    );
  }
  const repeated = ledger.length - new Set(ledger.map(({ round }) => round)).size;
  if (repeated > 0) {
    caveats.push(`${repeated} central steps ran again after an interruption; every run of a step is accounted.`);
  }
  return caveats;
}

/** Whom the guarantee does not cover, by who adds the noise. */
const PLACEMENT_CAVEATS: Readonly<Record<NoisePlacement, string>> = {
  central:
    'Noise is added centrally: the server and its workers are trusted and see the deltas of single clients; the guarantee is against everybody who sees the released models of all rounds.',
  shares:
    'Clients add shares of the noise, and the server those of clients whose delta was dropped: the guarantee is for the sum of all, against everybody who sees the released models. It is none against a server that looks at single contributions, which only secure aggregation could hide; and clients who pool their shares take that part of the noise off.',
  local:
    'Every client adds all of its noise: the guarantee is against everybody, the server included, for each of the messages of one user and for all of them together. That somebody took part is not hidden.',
};

/** Above it formal guarantees count as weak (Ponomareva et al. 2023, "How to DP-fy ML", tier 3). */
const WEAK_EPSILON = 10;

function protectionCaveat(epsilon: number): string[] {
  if (epsilon <= WEAK_EPSILON) return [];
  return [
    `An epsilon above ${WEAK_EPSILON} is a weak formal guarantee: it bounds what is learnt about a user only loosely.`,
  ];
}

function startCaveat({ seedModel, startedFromFile }: PrivacyRecord): string {
  if (startedFromFile) {
    return 'Training started from the weights of an ONNX file. The guarantee does not cover the data they were trained on; if those came from these users, their privacy loss adds to this one.';
  }
  return seedModel
    ? 'The seed model was trained on public examples, which this guarantee does not cover.'
    : 'Training started from random weights; no other data entered it.';
}

function weightingCaveat({ weighting }: PrivacyRecord): string[] {
  if (weighting === undefined || weighting.kind === 'uniform') return [];
  return [
    `A clipped delta counts min(n, ${weighting.maxWeight}) / ${weighting.maxWeight}, n being the client's number of examples: at most 1, so the clipping bound and the noise are those of equal weights. The sum is divided by S, not by the weights, which depend on who takes part.`,
  ];
}

function noiseSourceCaveat({ noiseSource, sampling }: Pick<ResolvedPrivacy, 'noiseSource' | 'sampling'>): string {
  if (noiseSource === 'seeded') {
    return 'Noise and cohorts are drawn from the seed in config.yaml, so that the run can be repeated: whoever knows the seed can take the noise off again. The guarantee describes the mechanism; for a model that is released set noiseSource: cryptographic.';
  }
  return sampling === 'cyclic'
    ? 'Noise came from the cryptographic generator of the operating system; nobody can repeat the run or take the noise off. What later rounds need of it is in the checkpoints: delete them before anything but the model is handed on. Cohorts follow from the seed in config.yaml and are no secret; epsilon gains nothing from them.'
    : 'Noise and cohorts came from the cryptographic generator of the operating system and were not kept: nobody can repeat the run, take the noise off, or tell from the seed who took part.';
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

/** Why noise is no smaller for those who drop out. */
const NOISE_OF_ABSENT: Readonly<Record<NoisePlacement, string>> = {
  central: 'noise, added once by the server, is not less for their absence',
  shares: 'the server adds the shares of noise that they did not send',
  local: 'every delta that was sent carries its own noise',
};

/** What dropout does to the guarantee. */
function dropoutCaveats({ privacy, expectedCohort, sampledCohort = expectedCohort }: PrivacyRecord): string[] {
  const { noisePlacement } = privacy;
  const sampled =
    sampledCohort === expectedCohort || noisePlacement === 'local'
      ? ''
      : ` Over-selection is accounted: q is ${significant(sampledCohort)} / K, not ${significant(expectedCohort)} / K.`;
  return [
    `Epsilon counts every sampled client as if its delta had been summed: clients that were unavailable, dropped out or missed the deadline make it no smaller, and ${NOISE_OF_ABSENT[noisePlacement]}.${sampled}`,
    'This holds because a client drops out for reasons of its own, never because of other clients: a deployment must not end rounds as soon as enough results have come, nor sample only among available devices without accounting that higher rate.',
  ];
}
