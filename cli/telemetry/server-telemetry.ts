import type { TelemetryOptions } from '../commands/telemetry-options.ts';
import type { Progress } from '../progress.ts';
import { exposeMetrics } from './telemetry.ts';
import type { ServerSource } from './watch-server.ts';

/** A server's progress with its metrics beside it. */
export interface ServerTelemetry {
  readonly progress: Progress;
  /** The server listens: its totals can be read. */
  watch(server: ServerSource): void;
  close(): void;
}

/** Adds metrics to `progress` when the options ask for them. @throws ConfigError when their address cannot be had */
export async function serverTelemetry(
  options: Partial<TelemetryOptions>,
  progress: Progress,
): Promise<ServerTelemetry> {
  if (options.metrics === undefined) return { progress, watch: () => undefined, close: () => undefined };
  const { ServerMetrics } = await import('./server-metrics.ts');
  const metrics = new ServerMetrics();
  const close = await exposeMetrics(options, metrics.registry, progress);
  return {
    progress: {
      ...progress,
      begin: (plan) => {
        metrics.begin(plan);
        progress.begin(plan);
      },
      onRound: (record) => {
        metrics.onRound(record);
        progress.onRound(record);
      },
    },
    watch: (server) => metrics.watch(server),
    close,
  };
}
