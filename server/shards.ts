/** What decides how a cohort is cut. None of it changes a result, only the time it takes. */
export interface ShardSettings {
  /** Expected work of a client, in any unit. */
  readonly work: (id: number) => number;
  /** Workers that will share the shards. */
  readonly workers: number;
  /** Most clients of a shard. */
  readonly mostClients: number;
  /** Most work of a shard of several clients. */
  readonly mostWork: number;
}

/** The smallest shards are this part of a worker's share of the work: the last worker is late by no more than that. */
const SMALLEST = 1 / 32;

/**
 * Cuts a cohort into shards by expected work, to be leased in order: the largest clients first, in shards that shrink with the work that is
 * left (guided self-scheduling, Polychronopoulos & Kuck 1987). So few shards are sent, and yet workers finish together although they
 * differ in speed and clients in size. Ids are ascending within a shard. An empty cohort has no shards.
 */
export function planShards(cohort: readonly number[], settings: ShardSettings): number[][] {
  const { work, mostClients, mostWork } = settings;
  const workers = Math.max(1, settings.workers);
  const clients = cohort.map((id) => ({ id, work: work(id) })).sort((a, b) => b.work - a.work || a.id - b.id);
  let left = clients.reduce((sum, client) => sum + client.work, 0);
  // A single worker waits for nobody: each shard costs the way of a sum, and time in which it does not train.
  const smallest = workers === 1 ? left : (left / workers) * SMALLEST;
  const shards: number[][] = [];
  for (let next = 0; next < clients.length; ) {
    const most = Math.min(Math.max(left / (2 * workers), smallest), mostWork);
    const shard: number[] = [];
    let size = 0;
    do {
      shard.push(clients[next].id);
      size += clients[next].work;
      next += 1;
    } while (next < clients.length && shard.length < mostClients && size + clients[next].work / 2 <= most);
    left -= size;
    shards.push(shard.sort((a, b) => a - b));
  }
  return shards;
}
