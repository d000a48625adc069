import { hostname } from 'node:os';
import { ConfigError } from '../errors.ts';
import { runAggregator } from '../server/aggregator.ts';
import type { AggregatorCommandOptions } from './commands/aggregator.ts';
import { serverSecurity, workerSecurity } from './security.ts';

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
  const log = (line: string) => process.stderr.write(`${line}\n`);
  try {
    await runAggregator({
      above: { server, name: options.name ?? `${hostname()}-${process.pid}`, credentials, signal: stop.signal, log },
      below: { listen, tls: below.tls, token: below.token },
      shardSize: options.shardSize,
      onListening: (address) => log(`listening on ${address}; start workers with: dpfl worker --server ${address}`),
    });
  } catch (error) {
    // Asked to stop: the server gives the shard to another worker.
    if (!stop.signal.aborted) throw error;
  }
}
