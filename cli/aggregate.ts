import { hostname } from 'node:os';
import { ConfigError } from '../errors.ts';
import { runAggregator } from '../server/aggregator.ts';
import type { AggregatorCommandOptions } from './commands/aggregator.ts';
import { serverSecurity, workerSecurity } from './security.ts';
import { exposeMetrics, voiceOf } from './telemetry/telemetry.ts';
import type { ServerSource } from './telemetry/watch-server.ts';

/**
 * `dpfl aggregator`: stands between a server and workers of its own until the run is over.
 * @throws ConfigError for malformed addresses, and when a side is not protected as it must be
 */
export async function aggregate(options: AggregatorCommandOptions): Promise<void> {
  const { server, listen, serveTls, serveTokenFile, tokenFile, insecure } = options;
  if (!/^.+:\d+$/.test(server)) {
    throw new ConfigError(`--server '${server}': give it as host:port, for instance 127.0.0.1:50051`);
  }
  const credentials = workerSecurity(server, options);
  const below = serverSecurity(
    listen,
    { tls: serveTls, tokenFile: serveTokenFile ?? tokenFile, insecure },
    process.env,
    {
      tls: '--serve-tls',
    },
  );
  if (below.tokenIsNew) {
    throw new ConfigError(
      `--listen ${listen}: workers need a token; give one by --serve-token-file, --token-file or DPFL_TOKEN`,
    );
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const voice = voiceOf(options, 'dpfl-aggregator');
  const log = (line: string) => voice.progress.note(line);
  const name = options.name ?? `${hostname()}-${process.pid}`;
  let close: (() => void) | undefined;
  try {
    const metrics = options.metrics === undefined ? undefined : await aggregatorMetrics();
    close = metrics && (await exposeMetrics(options, metrics.above.registry, voice.progress));
    await runAggregator({
      above: { server, name, credentials, signal: stop.signal, log, events: metrics?.above },
      below: { listen, tls: below.tls, token: below.token },
      shardSize: options.shardSize,
      onListening: (node) => {
        metrics?.watch(node);
        log(`listening on ${node.address}; start workers with: dpfl worker --server ${node.address}`);
      },
    });
  } catch (error) {
    // Asked to stop: the server gives the shard to another worker.
    if (!stop.signal.aborted && !voice.tell(error)) throw error;
  } finally {
    close?.();
  }
}

/** A worker's figures for what passes above, a server's for what passes below. Loaded only where someone asks for it. */
async function aggregatorMetrics() {
  const [{ WorkerMetrics }, { watchServer }] = await Promise.all([
    import('./telemetry/worker-metrics.ts'),
    import('./telemetry/watch-server.ts'),
  ]);
  const above = new WorkerMetrics();
  return { above, watch: (node: ServerSource) => watchServer(above.registry, node) };
}
