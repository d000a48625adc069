import { type Command, InvalidArgumentError } from 'commander';
import { addSecurityOptions, type SecurityOptions } from './security-options.ts';
import { addTelemetryOptions, type TelemetryOptions } from './telemetry-options.ts';

export interface AggregatorCommandOptions extends SecurityOptions, TelemetryOptions {
  readonly server: string;
  readonly listen: string;
  readonly shardSize: number;
  readonly name?: string;
  readonly serveTls?: string;
  readonly serveTokenFile?: string;
}

/** `dpfl aggregator`: a worker to the server above, a server to the workers below. */
export function addAggregatorCommand(program: Command): void {
  const command = program
    .command('aggregator')
    .requiredOption('--server <host:port>', 'address of the dpfl server (or aggregator) above')
    .requiredOption('--listen <host:port>', 'address to accept workers (or aggregators) on')
    .option('--shard-size <n>', 'clients per lease given to a worker', wholeNumber, 8)
    .option('--name <name>', "name in the server's log (default: host name and process id)")
    .option('--serve-tls <dir>', 'server certificates for its own workers: tls.crt, tls.key and ca.crt')
    .option('--serve-token-file <file>', 'token that its own workers must bear (default: the one it shows above)')
    .summary('sum up the work of many workers for a server')
    .description(
      'Takes shards of clients from a dpfl server like a worker, gives them in smaller ones to workers of its own, and returns ' +
        'one exact sum. The trained model is the same, bit for bit. Aggregators may stand above aggregators.',
    );
  addTelemetryOptions(addSecurityOptions(command))
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl aggregator --server trainer.local:50051 --tls certs/worker --token-file worker.token \\
      --listen 0.0.0.0:50052 --serve-tls rack3/server
  $ dpfl worker --server rack3.local:50052 --tls rack3/worker --token-file worker.token

Let the shards of the server hold enough clients for all workers below: federation.shardSize, if it is set.`,
    )
    .action(async (options: AggregatorCommandOptions) => {
      const { aggregate } = await import('../aggregate.ts');
      await aggregate(options);
    });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('give a whole number from 1.');
  return value;
}
