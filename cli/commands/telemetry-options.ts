import { type Command, Option } from 'commander';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** How a server or worker shows what it does. */
export interface TelemetryOptions {
  readonly metrics?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

/** Adds `--metrics`, `--log-level` and `--log-format` to a command. */
export function addTelemetryOptions(command: Command): Command {
  return command
    .option(
      '--metrics <host:port>',
      'serve metrics for Prometheus over HTTP; a port alone means 127.0.0.1. Not covered by differential privacy: not for the public',
    )
    .addOption(new Option('--log-level <level>', 'the least that is worth a line').choices(LOG_LEVELS).default('info'))
    .addOption(
      new Option('--log-format <format>', 'lines for people, or one JSON object each')
        .choices(['text', 'json'])
        .default('text'),
    );
}
