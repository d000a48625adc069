import type { Registry } from 'prom-client';
import type { TelemetryOptions } from '../commands/telemetry-options.ts';
import { reportError } from '../errors.ts';
import { createProgress, type Progress } from '../progress.ts';
import { jsonLogger, jsonProgress, quieterProgress } from './log.ts';

/** How a command tells what it does: its progress, and what becomes of an error that ends it. */
export interface Voice {
  readonly progress: Progress;
  /** Whether an error was told already, and the exit code set. */
  tell(error: unknown): boolean;
}

/** Text for people, as `dpfl run` has it, or JSON. */
export function voiceOf({ logFormat, logLevel }: Partial<TelemetryOptions>, name: string): Voice {
  if (logFormat !== 'json') {
    const progress = createProgress();
    const quiet = logLevel === undefined || logLevel === 'info' ? progress : quieterProgress(progress, logLevel);
    return { progress: quiet, tell: () => false };
  }
  const logger = jsonLogger(logLevel ?? 'info', name);
  return {
    progress: jsonProgress(logger),
    tell: (error) => {
      process.exitCode = reportError(error, { write: (text) => logger.error(text.trim()) });
      return true;
    },
  };
}

/**
 * Serves `registry` when the options ask for it, and says where.
 * @returns how to stop
 * @throws ConfigError when the address is malformed or cannot be had
 */
export async function exposeMetrics(
  { metrics }: Partial<TelemetryOptions>,
  registry: Registry,
  progress: Progress,
): Promise<() => void> {
  if (metrics === undefined) return () => undefined;
  const { serveMetrics } = await import('./endpoint.ts');
  const endpoint = await serveMetrics(metrics, registry);
  progress.note(`metrics on http://${endpoint.address}/metrics`);
  return () => endpoint.close();
}
