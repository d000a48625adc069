import { ConfigError } from '../errors.ts';
import { calibrateNoiseMultiplier } from '../privacy/calibration.ts';
import { discreteGaussian, type PrivacyEvent } from '../privacy/events.ts';
import { resolvePrivacy } from '../privacy/resolve.ts';
import { onCohort } from '../privacy/round-event.ts';
import { runAccountant } from '../privacy/run-accountant.ts';
import { type RunConfig, runScale } from './run-config.ts';

/**
 * The configuration with the least noise that keeps all its rounds within `privacy.budget`, where it asks for that; else as it is. The answer
 * states the multiplier, so that what the run directory says is what was run, and resuming cannot choose anew.
 * @throws ConfigError when the noise cannot be calibrated; PrivacyError when no noise is enough
 */
export function calibratedConfig(config: RunConfig, population: number): RunConfig {
  const { privacy, federation } = config;
  const { budget, noise } = privacy;
  if (noise?.calibrate === undefined) return config;
  if (budget === undefined) throw new ConfigError('privacy.noise: calibrate needs privacy.budget');
  const scale = runScale(config, population);
  const roundEvent = (multiplier: number): PrivacyEvent => {
    const settings = resolvePrivacy({ ...privacy, noise: { multiplier } }, scale);
    // The ledger of such a run has the integers of the grid; relative to each other they are these.
    return settings.mechanism === 'discreteGaussian'
      ? onCohort(settings, discreteGaussian(multiplier, 1, 1))
      : settings.roundEvent;
  };
  const { adjacency, samplingRate } = resolvePrivacy({ ...privacy, noise: { multiplier: 1 } }, scale);
  const accountant = runAccountant(privacy.accountant, [roundEvent(1)], adjacency);
  const target = { ...budget, samplingRate, rounds: federation.rounds };
  const { noiseMultiplier } = calibrateNoiseMultiplier(target, accountant, 1e-4, roundEvent, adjacency);
  return { ...config, privacy: { ...privacy, noise: { multiplier: roundedUp(noiseMultiplier) } } };
}

/** Six digits, never less: people read and copy it. */
function roundedUp(value: number): number {
  const rounded = Number(value.toPrecision(6));
  return rounded >= value ? rounded : Number((rounded + 10 ** (Math.floor(Math.log10(value)) - 5)).toPrecision(6));
}
