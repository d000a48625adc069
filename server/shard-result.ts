import type { ShardResult } from '../client/shard.ts';
import { float64sOfBytes } from '../proto/floats.ts';
import type { ShardHeader__Output } from '../proto/generated/dpfl/v1/ShardHeader.ts';
import { RejectedMessage } from './faults.ts';

/**
 * The result of a shard as the worker sent it, checked: a broken worker must not spoil the round.
 * @param clients number of clients leased
 * @param layers number of layers of the parameter vector
 * @param payload the sum's bytes; the result's `sum` is a view of them
 * @throws RejectedMessage when counts do not add up, or a figure is not what it can be
 */
export function shardResultOf(
  header: ShardHeader__Output,
  clients: number,
  layers: number,
  payload: Uint8Array,
): ShardResult {
  const { contributed, rejectedNonFinite, lossSum, examples, infeasibleTargets } = header;
  if (contributed + rejectedNonFinite !== clients) {
    throw new RejectedMessage(
      'malformed',
      `shard result: ${contributed} contributions and ${rejectedNonFinite} rejections for ${clients} clients`,
    );
  }
  const deltaNormSums = Float64Array.from(header.deltaNormSums);
  const clippedCounts = Float64Array.from(header.clippedCounts);
  if (deltaNormSums.length !== layers || clippedCounts.length !== layers) {
    throw new RejectedMessage(
      'wrongSize',
      `shard result: statistics of ${deltaNormSums.length} layers where ${layers} were due`,
    );
  }
  if (!clippedCounts.every((count) => Number.isInteger(count) && count >= 0 && count <= contributed)) {
    throw new RejectedMessage('malformed', 'shard result: a count of clipped clients is impossible');
  }
  const sum = float64sOfBytes(payload);
  // An indexed loop: several times as fast as iteration over millions of values.
  for (let i = 0; i < sum.length; i += 1) {
    if (!Number.isSafeInteger(sum[i])) {
      const reason = Number.isFinite(sum[i]) ? 'malformed' : 'notFinite';
      throw new RejectedMessage(reason, `shard result: ${sum[i]} is not a grid integer`);
    }
  }
  const seconds = {
    total: header.seconds,
    data: header.dataSeconds,
    training: header.trainingSeconds,
    clipping: header.clippingSeconds,
  };
  return {
    sum,
    contributed,
    rejectedNonFinite,
    lossSum,
    examples,
    infeasibleTargets,
    deltaNormSums,
    clippedCounts,
    seconds,
  };
}
