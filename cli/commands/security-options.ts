import { type Command, Option } from 'commander';

/** One side's half of mutual TLS. */
export interface TlsOptions {
  readonly tls?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
}

/** The options by which server and workers know each other. */
export interface SecurityOptions extends TlsOptions {
  readonly tokenFile?: string;
  readonly insecure?: boolean;
}

/** Adds `--tls`, `--tls-cert`, `--tls-key`, `--tls-ca`, `--token-file` and `--insecure` to a command. */
export function addSecurityOptions(command: Command): Command {
  return addTlsOptions(command)
    .option('--token-file <file>', "file with the run's token (or put the token into the variable DPFL_TOKEN)")
    .option('--insecure', 'allow plaintext beyond this machine: whoever sees the traffic reads token and model');
}

/** Adds `--tls`, `--tls-cert`, `--tls-key` and `--tls-ca` to a command. */
export function addTlsOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--tls <dir>', 'certificates for mutual TLS: a directory with tls.crt, tls.key and ca.crt').env(
        'DPFL_TLS',
      ),
    )
    .option('--tls-cert <file>', "this side's certificate, instead of tls.crt in the directory")
    .option('--tls-key <file>', 'its private key, instead of tls.key')
    .option('--tls-ca <file>', "the authority that signed the other side's certificate, instead of ca.crt");
}
