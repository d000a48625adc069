import { PrivacyError } from '../errors.ts';
import type { FixedSizeMechanism, Mechanism, UnsampledMechanism } from './mechanisms.ts';
import { rdpSampledGaussian } from './rdp.ts';
import { fixedSizeLogMoment, gaussianEvenMoments, type ReplacedMember } from './rdp-fixed-size.ts';
import { rdpLaplace } from './rdp-laplace.ts';
import { chordLogMoment, type LogMoments, sampledLogMoment } from './rdp-moments.ts';

/**
 * RDP of a mechanism at every order.
 * @throws PrivacyError when a parameter is outside the range that can be computed
 */
export function mechanismRdp(mechanism: Mechanism, orders: readonly number[]): Float64Array {
  if (mechanism.kind === 'gaussian') {
    const { samplingRate, noiseMultiplier } = mechanism;
    return Float64Array.from(orders, (order) => rdpSampledGaussian(samplingRate, noiseMultiplier, order));
  }
  if (mechanism.kind !== 'fixedSize' && mechanism.samplingRate === 1) {
    const { samplingRate: _everybody, ...rest } = mechanism;
    return Float64Array.from(orders, (order) => unsampledRdp({ ...rest, samplingRate: 1 }, order));
  }
  const atWhole = remembered(mechanism.kind === 'fixedSize' ? fixedSize(mechanism) : poisson(mechanism));
  return Float64Array.from(orders, (order) => chordLogMoment(order, atWhole) / (order - 1));
}

/** RDP of Gaussian, Laplace or discrete Gaussian noise on everybody; the discrete one has that of the continuous one (Canonne et al. 2020, Theorem 4). */
function unsampledRdp(mechanism: UnsampledMechanism, order: number): number {
  return mechanism.kind === 'laplace'
    ? rdpLaplace(mechanism.scale, order)
    : rdpSampledGaussian(1, mechanism.noiseMultiplier, order);
}

function poisson(mechanism: Exclude<Mechanism, FixedSizeMechanism>): LogMoments {
  const base = { ...mechanism, samplingRate: 1 } as const;
  return (order) => sampledLogMoment(mechanism.samplingRate, order, (k) => (k - 1) * unsampledRdp(base, k));
}

function fixedSize({ samplingRate, base }: FixedSizeMechanism): LogMoments {
  if (base.kind !== 'laplace' && !(base.noiseMultiplier >= 1e-100)) {
    throw new PrivacyError(`RDP: the noise multiplier must be at least 1e-100, got ${base.noiseMultiplier}`);
  }
  const member: ReplacedMember = {
    logMoment: remembered((k) => (k - 1) * unsampledRdp(base, k)),
    pureEpsilon: base.kind === 'laplace' ? 1 / base.scale : Number.POSITIVE_INFINITY,
    logEvenMoment: base.kind === 'gaussian' ? gaussianEvenMoments(base.noiseMultiplier) : null,
  };
  return (order) => fixedSizeLogMoment(samplingRate, order, member);
}

function remembered(moments: LogMoments): LogMoments {
  const known = new Map<number, number>();
  return (order) => {
    const value = known.get(order) ?? moments(order);
    known.set(order, value);
    return value;
  };
}
