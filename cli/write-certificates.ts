import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../errors.ts';
import { type Certificates, makeCertificates } from './certificates.ts';

export interface CertsOptions {
  /** Directory to write to. */
  readonly out: string;
  /** Names and addresses of the server. */
  readonly host: readonly string[];
  readonly days: number;
}

/**
 * `dpfl certs`: makes an authority and certificates, and writes them. The file names are those of a Kubernetes TLS secret.
 * Nothing is ever overwritten: a lost authority locks out every machine that trusts it.
 * @throws ConfigError when a file is there already, or cannot be written
 */
export async function writeCertificates({ out, host, days }: CertsOptions): Promise<void> {
  const files = filesOf(await makeCertificates(host, days));
  for (const { path } of files) {
    if (existsSync(join(out, path))) {
      throw new ConfigError(`${join(out, path)}: is there already; remove the old certificates, or give another --out`);
    }
  }
  try {
    for (const side of ['server', 'worker']) mkdirSync(join(out, side), { recursive: true, mode: 0o700 });
    // 'wx' fails on a file that came in between; the mode holds from the first moment.
    for (const { path, content, mode } of files) writeFileSync(join(out, path), content, { flag: 'wx', mode });
  } catch (cause) {
    throw new ConfigError(`${out}: certificates cannot be written (${(cause as Error).message})`, { cause });
  }
  process.stdout.write(
    `${out}/server   for the server:      dpfl server config.yaml --listen 0.0.0.0:50051 --tls ${out}/server
${out}/worker   for every worker:    dpfl worker --server ${host[0]}:50051 --tls ${out}/worker --token-file <file>
${out}/ca.key   signs certificates: keep it off both, or delete it
`,
  );
}

function filesOf({ authority, server, worker }: Certificates) {
  const file = (path: string, content: string) => ({ path, content, mode: path.endsWith('.key') ? 0o600 : 0o644 });
  return [
    file('ca.crt', authority.certificate),
    file('ca.key', authority.key),
    ...Object.entries({ server, worker }).flatMap(([side, { certificate, key }]) => [
      file(`${side}/ca.crt`, authority.certificate),
      file(`${side}/tls.crt`, certificate),
      file(`${side}/tls.key`, key),
    ]),
  ];
}
