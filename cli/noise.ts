import { ConfigError } from '../errors.ts';
import { type Calibration, calibrateNoiseMultiplier } from '../privacy/calibration.ts';
import { PldAccountant } from '../privacy/pld-accountant.ts';
import { RdpAccountant } from '../privacy/rdp-accountant.ts';
import { significant } from '../report/format.ts';
import { accountantWords } from '../report/privacy-words.ts';
import { type EpsilonFlags, positive, positiveInteger, samplingOf } from './epsilon.ts';

/** The flags of `dpfl privacy noise` as they were typed. */
export interface NoiseFlags extends Omit<EpsilonFlags, 'noiseMultiplier'> {
  readonly epsilon?: string;
}

/**
 * The smallest noise multiplier, to 1e-4 of it, with which T steps of the Poisson-sampled Gaussian mechanism stay within (ε, δ).
 * @throws ConfigError naming the flag that is wrong; PrivacyError when no noise is enough
 */
export function noiseOfFlags(flags: NoiseFlags): Calibration {
  const name = flags.accountant ?? 'pld';
  if (name !== 'rdp' && name !== 'pld') {
    throw new ConfigError(`--accountant: '${name}' is not known; use pld or rdp`);
  }
  const target = {
    epsilon: positive('--epsilon', flags.epsilon),
    delta: positive('--delta', flags.delta),
    rounds: positiveInteger('--steps', flags.steps),
    samplingRate: samplingOf(flags).samplingRate,
  };
  if (target.delta >= 1) throw new ConfigError(`--delta: must be below 1, got ${flags.delta}`);
  return calibrateNoiseMultiplier(target, name === 'rdp' ? new RdpAccountant() : new PldAccountant());
}

/** The answer for programs. */
export function noiseJson({ noiseMultiplier, achieved }: Calibration) {
  const { epsilon, epsilonLower, accountant } = achieved;
  return { noiseMultiplier, epsilon, epsilonLower, accountant };
}

/** The answer for people. */
export function noiseText({ noiseMultiplier, achieved }: Calibration): string {
  return [
    `noise multiplier z = ${significant(noiseMultiplier, 6)}`,
    `gives epsilon <= ${significant(achieved.epsilon, 6)} at delta = ${significant(achieved.delta)}`,
    `accountant  ${accountantWords(achieved)}`,
    '',
  ].join('\n');
}
