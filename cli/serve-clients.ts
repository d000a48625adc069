import { hostname } from 'node:os';
import { runWorker } from '../client/worker.ts';
import type { WorkerCommandOptions } from './commands/worker.ts';
import { requireAddress } from './require-address.ts';
import { workerSecurity } from './security.ts';
import { exposeMetrics, voiceOf } from './telemetry/telemetry.ts';
import type { WorkerMetrics } from './telemetry/worker-metrics.ts';

/** `dpfl worker`: trains clients for a server until its run is over. One line on stderr on connecting and at the end. @throws ConfigError for a malformed address */
export async function serveClients(options: WorkerCommandOptions): Promise<void> {
  requireAddress(options.server, '--server');
  const credentials = workerSecurity(options.server, options);
  const voice = voiceOf(options, 'dpfl-worker');
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  if (process.send !== undefined) {
    // Started by a server on this machine, which a worker outlives by the training of one client at most.
    process.once('disconnect', () => stop.abort());
    if (!process.connected) stop.abort();
    process.channel?.unref();
  }
  let close: (() => void) | undefined;
  try {
    const metrics = options.metrics === undefined ? undefined : await workerMetrics();
    close = metrics && (await exposeMetrics(options, metrics.registry, voice.progress));
    await runWorker({
      server: options.server,
      name: options.name ?? `${hostname()}-${process.pid}`,
      credentials,
      dataPath: options.dataPath,
      signal: stop.signal,
      log: (line) => voice.progress.note(line),
      events: metrics,
    });
  } catch (error) {
    // asked to stop: the server gives the shard to another worker
    if (!stop.signal.aborted && !voice.tell(error)) throw error;
  } finally {
    close?.();
  }
}

/** Loaded only where someone asks for it. */
async function workerMetrics(): Promise<WorkerMetrics> {
  const { WorkerMetrics } = await import('./telemetry/worker-metrics.ts');
  return new WorkerMetrics();
}
