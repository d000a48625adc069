import { type Command, InvalidArgumentError } from 'commander';
import type { CertsOptions } from '../write-certificates.ts';

/** `dpfl certs`: a private authority with a certificate for the server and one for its workers. */
export function addCertsCommand(program: Command): void {
  program
    .command('certs')
    .requiredOption('--host <name>', 'name or IP address by which workers call the server; repeatable', collect)
    .option('--out <dir>', 'directory to write to', 'certs')
    .option('--days <n>', 'how long the certificates are valid', wholeDays, 365)
    .summary('make certificates for server and workers')
    .description(
      'Makes a private certificate authority, and with it certificates for mutual TLS between a server and its workers ' +
        '(ECDSA P-256). Private keys are readable by you only. Files that exist are never overwritten.',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ dpfl certs --host trainer.local --host 10.0.0.5
  $ dpfl server configs/quickstart.yaml --listen 0.0.0.0:50051 --tls certs/server
  $ dpfl worker --server trainer.local:50051 --tls certs/worker --token-file worker.token`,
    )
    .action(async (options: CertsOptions) => {
      const { writeCertificates } = await import('../write-certificates.ts');
      await writeCertificates(options);
    });
}

function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

function wholeDays(text: string): number {
  const days = Number(text);
  if (!Number.isSafeInteger(days) || days < 1 || days > 36_500) {
    throw new InvalidArgumentError('give a whole number of days, from 1 to 36500.');
  }
  return days;
}
