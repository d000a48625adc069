import { existsSync } from 'node:fs';
import { ConfigError, ProtocolError } from '../errors.ts';
import { contradiction } from '../report/audit.ts';
import { reportJson } from '../report/json.ts';
import { writeReport } from '../report/write.ts';
import { runConfig } from '../server/run-config.ts';
import { configSource, type RunOptions } from './commands/run-options.ts';
import type { SecurityOptions } from './commands/security-options.ts';
import type { TelemetryOptions } from './commands/telemetry-options.ts';
import { AuditFailure, EXIT } from './errors.ts';
import { launch } from './launch.ts';
import { loadConfig } from './load-config.ts';
import { resumeCommand } from './resume-command.ts';
import { serverSecurity } from './security.ts';
import { summaryLines } from './summary.ts';
import { serverTelemetry } from './telemetry/server-telemetry.ts';
import { voiceOf } from './telemetry/telemetry.ts';

/** What `dpfl server` adds to a run. */
export interface Network extends SecurityOptions, Partial<TelemetryOptions> {
  readonly listen: string;
  readonly health?: string;
  readonly reflection?: boolean;
}

/**
 * `dpfl run` and `dpfl server`: reads the configuration, trains, writes the report and prints the summary.
 * Ctrl-C (or SIGTERM) stops after the round under way with a checkpoint; a second one stops at once.
 * @param network address for workers of other machines, and the protection of the wire; undefined keeps the run on this one
 * @throws ConfigError and the other errors of a run
 */
export async function train(config: string | undefined, options: RunOptions, network?: Network): Promise<void> {
  const { file, overrides } = configSource(config, options);
  if (options.resume !== undefined && !existsSync(file)) {
    throw new ConfigError(
      `--resume ${options.resume}: no run here (it has no config.yaml); give a run directory such as runs/name-001`,
    );
  }
  const security = network && serverSecurity(network.listen, network);
  const settings = loadConfig(runConfig, file, overrides);
  const voice = voiceOf(network ?? {}, 'dpfl-server');
  const telemetry = await serverTelemetry(network ?? {}, voice.progress);
  const { progress } = telemetry;
  const interruption = new AbortController();
  let hint: string | undefined;
  const interrupt = () => {
    if (interruption.signal.aborted) {
      if (hint !== undefined) progress.note(hint);
      process.exit(EXIT.interrupted);
    }
    interruption.abort();
    progress.note('stopping after this round; again to stop at once');
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  let directory: string;
  try {
    const outcome = await launch({
      config: settings,
      source: file,
      resume: options.resume,
      listen: network?.listen,
      health: network?.health,
      reflection: network?.reflection,
      security,
      progress,
      signal: interruption.signal,
      onServer: telemetry.watch,
      onResumable: (line) => {
        hint = line;
      },
    });
    directory = outcome.directory;
  } catch (error) {
    if (!(interruption.signal.aborted && error instanceof ProtocolError)) {
      if (voice.tell(error)) return;
      throw error;
    }
    // Asked to stop, and then the round under way could not be finished: nothing is lost.
    progress.note(error.message);
    process.exitCode = EXIT.interrupted;
    return;
  } finally {
    progress.end();
    telemetry.close();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
  const { report } = await writeReport(directory);
  const lines = summaryLines(report, directory, resumeCommand(directory, network?.listen));
  process.stdout.write(options.json ? reportJson(report) : `${lines.join('\n')}\n`);
  const wrong = report.audit && contradiction(report.audit);
  if (wrong) throw new AuditFailure(wrong, directory);
  if (interruption.signal.aborted && !report.run.finished) process.exitCode = EXIT.interrupted;
}
