import type { ShardResult } from '../client/shard.ts';
import type { ShardHeader__Output } from '../proto/generated/dpfl/v1/ShardHeader.ts';
import { RejectedMessage } from './faults.ts';
import type { ReceivedSum } from './spooled-sum.ts';

/** A shard's result as it arrives: its sum, which may be on the disk, is readable until `onResult` returns. */
export type DeliveredShard = Omit<ShardResult, 'sum'> & { readonly sum: Float64Array | ReceivedSum };

/**
 * The result of a shard as the worker sent it, checked: a broken worker must not spoil the round.
 * @param clients number of clients leased
 * @param layers number of layers of the parameter vector
 * @param silent whether clients tell nothing but their message (local noise): losses and norms are then NaN
 * @param sum of as many grid integers as there are parameters
 * @throws RejectedMessage when counts do not add up, or a figure is not what it can be
 */
export function shardResultOf(
  header: ShardHeader__Output,
  clients: number,
  layers: number,
  silent: boolean,
  sum: DeliveredShard['sum'],
): DeliveredShard {
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
  // A loss may overflow on an honest worker, and is then recorded as none; the norms of accepted deltas cannot.
  const { seconds: total, dataSeconds: data, trainingSeconds: training, clippingSeconds: clipping } = header;
  const figures = [...(silent ? [] : deltaNormSums), examples, infeasibleTargets, total, data, training, clipping];
  if (!figures.every((figure) => figure >= 0 && figure < Number.POSITIVE_INFINITY)) {
    throw new RejectedMessage('malformed', 'shard result: a norm, a count or a time is negative or not finite');
  }
  const seconds = { total, data, training, clipping };
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
