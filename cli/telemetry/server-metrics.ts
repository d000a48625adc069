import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { RoundRecord } from '../../server/records.ts';
import { type ServerSource, watchServer } from './watch-server.ts';

/** Seconds: from rounds of a toy to rounds of an hour. */
const BUCKETS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000];
const PHASES = ['training', 'evaluation', 'server', 'sampling', 'summing', 'noise', 'optimizer', 'total'] as const;

/** A server's figures for Prometheus: totals and times. No label names a worker, a client or anything they hold. */
export class ServerMetrics {
  readonly registry = new Registry();
  readonly #round = this.#gauge('dpfl_round', 'Last finished central step');
  readonly #planned = this.#gauge('dpfl_rounds_planned', 'Central steps that the run is to take');
  readonly #cohort = this.#gauge('dpfl_cohort_clients', 'Sampled clients of the last round');
  readonly #epsilon = this.#gauge(
    'dpfl_epsilon',
    'Epsilon spent, at the configured delta, after round dpfl_epsilon_round',
  );
  readonly #epsilonRound = this.#gauge('dpfl_epsilon_round', 'The last round after which epsilon was worked out');
  readonly #rounds = this.#counter('dpfl_rounds_total', 'Central steps taken by this process');
  readonly #trained = this.#counter('dpfl_clients_trained_total', 'Clients whose delta entered a sum');
  readonly #rejected = this.#counter('dpfl_deltas_rejected_total', 'Clients whose delta was not finite');
  readonly #seconds = new Histogram({
    name: 'dpfl_phase_seconds',
    help: 'Wall-clock seconds of a round, by phase',
    labelNames: ['phase'],
    buckets: BUCKETS,
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** The run begins. */
  begin(plan: { readonly rounds: number }): void {
    this.#planned.set(plan.rounds);
  }

  /** A round was recorded; round 0 is the evaluation before the first. */
  onRound({ round, cohort, contributed, rejectedNonFinite, epsilon, seconds }: RoundRecord): void {
    this.#round.set(round);
    if (epsilon !== null) {
      this.#epsilon.set(epsilon);
      this.#epsilonRound.set(round);
    }
    if (round === 0) return;
    this.#cohort.set(cohort);
    this.#rounds.inc();
    this.#trained.inc(contributed);
    this.#rejected.inc(rejectedNonFinite);
    for (const phase of PHASES) {
      const value = seconds[phase];
      if (value !== undefined) this.#seconds.observe({ phase }, value);
    }
  }

  /** Reads from `server` whenever someone asks. To be called once. */
  watch(server: ServerSource): void {
    watchServer(this.registry, server);
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: [this.registry] });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }
}
