import { Counter, Gauge, type Registry } from 'prom-client';
import type { FaultRecord } from '../../server/faults.ts';
import type { WireTally } from '../../server/wire-tally.ts';

/** What the figures are read from when someone asks. */
export interface ServerSource {
  workerCount(): number;
  readonly tally: WireTally;
  readonly faults: { readonly total: FaultRecord };
  readonly admission: { readonly wrongTokens: number };
}

/** Adds what passes between a server, or an aggregator, and its workers to a registry. It is read whenever someone asks. To be called once. */
export function watchServer(registry: Registry, server: ServerSource): void {
  const { tally } = server;
  const read = (name: string, help: string, value: () => number, Kind: typeof Gauge | typeof Counter = Counter) => {
    const metric = new Kind({
      name,
      help,
      registers: [registry],
      collect: () => {
        metric.reset();
        metric.inc(value());
      },
    });
  };
  read('dpfl_workers_connected', 'Workers that have said Hello', () => server.workerCount(), Gauge);
  read('dpfl_shards_leased_total', 'Shards given to workers, repeats included', () => tally.shardsLeased);
  read('dpfl_shards_returned_total', 'Results of shards that were summed', () => tally.shardsAccepted);
  read('dpfl_sent_bytes_total', 'Payload to workers: training step, parameters', () => tally.bytesSent);
  read('dpfl_received_bytes_total', 'Payload from workers: sums', () => tally.bytesReceived);
  read('dpfl_wrong_tokens_total', 'Streams refused for their token', () => server.admission.wrongTokens);
  const faults = new Counter({
    name: 'dpfl_faults_total',
    help: 'Rejected results and lost leases, by kind (docs/architecture.md, The wire)',
    labelNames: ['kind'],
    registers: [registry],
    collect: () => {
      faults.reset();
      for (const [kind, times] of Object.entries(server.faults.total)) faults.inc({ kind }, times);
    },
  });
}
