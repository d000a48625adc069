/** Splits a cohort into shards of `shardSize` consecutive clients; the last may be smaller. An empty cohort has no shards. */
export function splitIntoShards(cohort: readonly number[], shardSize: number): number[][] {
  const shards: number[][] = [];
  for (let start = 0; start < cohort.length; start += shardSize) {
    shards.push(cohort.slice(start, start + shardSize));
  }
  return shards;
}
