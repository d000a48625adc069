import { createHash } from 'node:crypto';
import { isCorrelated } from '../privacy/config.ts';
import type { RunConfig } from './run-config.ts';

/**
 * SHA-256 (hex) of the settings that decide what a run computes. A run may be resumed under another name, on more workers, for
 * more rounds, with other evaluations and checkpoints or another form of the final model, but not with anything else changed.
 */
export function configHash(config: RunConfig): string {
  const { name: _name, output: _output, evaluation: _evaluation, checkpoint: _checkpoint, ...rest } = config;
  const {
    rounds: plannedRounds,
    workers: _workers,
    leaseSeconds: _lease,
    silenceSeconds: _silence,
    waitForWorkersSeconds: _wait,
    transport,
    ...federation
  } = rest.federation;
  // Left out at its default, as in configurations older than the setting.
  const rounding = transport === 'float32' ? undefined : transport;
  const { extrapolate: _extrapolate, ...privacy } = rest.privacy;
  // Noise shared by rounds is made for a number of them.
  const rounds = isCorrelated(privacy.mechanism) ? plannedRounds : undefined;
  const { write: _write, ...lora } = rest.train?.lora ?? {};
  const train = rest.train?.lora ? { ...rest.train, lora } : rest.train;
  return createHash('sha256')
    .update(canonicalJson({ ...rest, federation: { ...federation, rounds, transport: rounding }, privacy, train }))
    .digest('hex');
}

/** JSON with sorted keys: the order of keys in a YAML file means nothing. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
