import { type Command, InvalidArgumentError } from 'commander';
import { addTlsOptions, type TlsOptions } from './security-options.ts';

export interface HealthOptions extends TlsOptions {
  readonly timeout: number;
}

/** `dpfl health host:port`: the check that containers and scripts need; no token, no shell tools. */
export function addHealthCommand(program: Command): void {
  const command = program
    .command('health')
    .argument('<host:port>', 'address of a dpfl server: the one for workers, or that of --health')
    .option('--timeout <seconds>', 'how long to wait for the answer', seconds, 5)
    .summary('ask a server whether it takes workers')
    .description(
      'Asks a server by the standard gRPC health service (grpc.health.v1) whether it takes workers, and prints its answer. ' +
        'Exit code 0 for SERVING, 2 for any other answer and for none.',
    );
  addTlsOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl health 127.0.0.1:50052
  $ dpfl health trainer.local:50051 --tls certs/worker`,
    )
    .action(async (address: string, options: HealthOptions) => {
      const { checkHealth } = await import('../health.ts');
      await checkHealth(address, options);
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3600)) throw new InvalidArgumentError('give seconds, above 0 and up to 3600.');
  return value;
}
