import type { Command } from 'commander';
import { addSecurityOptions, type SecurityOptions } from './security-options.ts';
import { addTelemetryOptions, type TelemetryOptions } from './telemetry-options.ts';

export interface WorkerCommandOptions extends SecurityOptions, Partial<TelemetryOptions> {
  readonly server: string;
  readonly dataPath?: string;
  readonly name?: string;
}

/** `dpfl worker --server host:port`: trains simulated clients for a server until its run is over. */
export function addWorkerCommand(program: Command): void {
  const command = program
    .command('worker')
    .requiredOption('--server <host:port>', 'address of a running dpfl server')
    .option('--data-path <dir>', "where this machine keeps the data set, instead of the server's data.path")
    .option('--name <name>', "name in the server's log (default: host name and process id)")
    .summary('train clients for a server')
    .description(
      'Connects to a dpfl server, trains the simulated clients it is given and returns their clipped sum. ' +
        'Everything it must know comes from the server; it exits when the run is over. Start one per core.',
    );
  addTelemetryOptions(addSecurityOptions(command))
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl worker --server localhost:50051
  $ dpfl worker --server trainer.local:50051 --tls certs/worker --token-file worker.token --data-path /data/fsdd`,
    )
    .action(async (options: WorkerCommandOptions) => {
      const { serveClients } = await import('../serve-clients.ts');
      await serveClients(options);
    });
}
