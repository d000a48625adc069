import { MAX_CLIENTS_PER_LEASE } from '../proto/client-ids.ts';
import { planShards } from './shards.ts';

/** Clients of a shard while nothing is known of their speed. */
const FIRST_CLIENTS = 32;
/** A shard is to take at most this part of its lease's time. */
const PART_OF_LEASE = 1 / 4;

/** Settings of a run that decide how cohorts are cut. */
export interface PlannerSettings {
  /** Expected work of a client. */
  readonly work: (id: number) => number;
  /** Most clients of a shard; undefined: as many as time allows. */
  readonly shardSize: number | undefined;
  readonly leaseSeconds: number;
}

/** Cuts cohorts into shards by expected work, and learns from each round how long a unit of work takes. */
export class ShardPlanner {
  readonly #settings: PlannerSettings;
  /** Worker seconds per unit of work in the last round that had any. */
  #pace: number | undefined;
  #work = 0;

  constructor(settings: PlannerSettings) {
    this.#settings = settings;
  }

  /** The shards of a round, those to be leased first at the front. */
  plan(cohort: readonly number[], workers: number): number[][] {
    const { work, shardSize, leaseSeconds } = this.#settings;
    this.#work = cohort.reduce((sum, id) => sum + work(id), 0);
    const unknown = this.#pace === undefined;
    return planShards(cohort, {
      work,
      workers,
      mostClients: shardSize ?? (unknown ? FIRST_CLIENTS : MAX_CLIENTS_PER_LEASE),
      mostWork: this.#pace === undefined ? Number.POSITIVE_INFINITY : (PART_OF_LEASE * leaseSeconds) / this.#pace,
    });
  }

  /** Hears what the planned round took: seconds of all workers together. */
  learn(seconds: number): void {
    if (this.#work > 0 && seconds > 0) this.#pace = seconds / this.#work;
  }
}
