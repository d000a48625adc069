import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { WorkerEvents } from '../../client/worker.ts';

/** A worker's figures for Prometheus: totals and times, nothing of a single client. */
export class WorkerMetrics implements WorkerEvents {
  readonly registry = new Registry();
  readonly #connected = new Gauge({
    name: 'dpfl_worker_connected',
    help: '1 while the server has welcomed this worker',
    registers: [this.registry],
  });
  readonly #shards = this.#counter('dpfl_worker_shards_total', 'Shards trained and sent');
  readonly #clients = this.#counter('dpfl_worker_clients_total', 'Clients trained');
  readonly #sent = this.#counter('dpfl_worker_sent_bytes_total', 'Payload to the server: sums');
  readonly #received = this.#counter('dpfl_worker_received_bytes_total', 'Payload from the server: parameters');
  readonly #seconds = new Counter({
    name: 'dpfl_worker_seconds_total',
    help: 'Wall-clock seconds spent on shards, by phase; total has all',
    labelNames: ['phase'],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.#connected.set(0);
  }

  onConnection(connected: boolean): void {
    this.#connected.set(connected ? 1 : 0);
  }

  onParameters(bytes: number): void {
    this.#received.inc(bytes);
  }

  onShard({ clients, seconds, sentBytes }: Parameters<WorkerEvents['onShard']>[0]): void {
    this.#shards.inc();
    this.#clients.inc(clients);
    this.#sent.inc(sentBytes);
    const { total, data, training, clipping } = seconds;
    for (const [phase, value] of Object.entries({ total, data, training, clipping }))
      this.#seconds.inc({ phase }, value);
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }
}
