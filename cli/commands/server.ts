import type { Command } from 'commander';
import type { Network } from '../train.ts';
import { addRunOptions, OVERRIDE_HELP, type RunOptions } from './run-options.ts';
import { addSecurityOptions } from './security-options.ts';
import { addTelemetryOptions } from './telemetry-options.ts';

/** `dpfl server <config> --listen host:port`: the same run, with workers that connect over the network. */
export function addServerCommand(program: Command): void {
  const command = program
    .command('server')
    .argument('[config]', 'YAML file that describes the run')
    .requiredOption('--listen <host:port>', 'address to accept workers on, such as 0.0.0.0:50051')
    .option('--health <host:port>', 'answer health checks here as well, in plaintext: for probes without a certificate')
    .option('--reflection', 'offer gRPC server reflection, to whoever bears the token')
    .summary('train with workers on other machines')
    .description(
      'Runs the server of a federated training and waits for workers (dpfl worker) to connect. ' +
        'Workers may join, leave and die at any time; the trained model is the same whatever they do.',
    );
  addTelemetryOptions(addSecurityOptions(addRunOptions(command)))
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl server configs/quickstart.yaml --listen 127.0.0.1:50051
  $ dpfl certs --host trainer.local
  $ dpfl server configs/quickstart.yaml --listen 0.0.0.0:50051 --tls certs/server
  $ dpfl worker --server trainer.local:50051 --tls certs/worker --token-file worker.token   (on each other machine)
  $ dpfl server --listen 0.0.0.0:50051 --tls certs/server --resume runs/quickstart-001

On an address that other machines can reach, workers need a certificate (mutual TLS) and the run's token. Without
--token-file and DPFL_TOKEN the server makes one for this run, in the file worker.token of the run directory.
The standard gRPC health service answers on the address for workers; with TLS, to those with a certificate only (dpfl health).
${OVERRIDE_HELP}`,
    )
    .action(async (config: string | undefined, options: RunOptions & Network) => {
      const { train } = await import('../train.ts');
      await train(config, options, options);
    });
}
