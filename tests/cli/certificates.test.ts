import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Certificates, makeCertificates } from '../../cli/certificates.ts';
import { writeCertificates } from '../../cli/write-certificates.ts';
import { ConfigError } from '../../errors.ts';
import { readTls } from '../../proto/tls.ts';

let made: Certificates;
let directory: string;
beforeAll(async () => {
  made = await makeCertificates(['trainer.local', '10.0.0.5', '::1'], 30);
  directory = mkdtempSync(join(tmpdir(), 'dpfl-certs-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const parsed = ({ certificate }: { certificate: string }) => new X509Certificate(certificate);

describe('makeCertificates', () => {
  test('the authority signs itself and both certificates', () => {
    const authority = parsed(made.authority);
    expect(authority.ca).toBe(true);
    for (const pair of [made.authority, made.server, made.worker]) {
      expect(parsed(pair).verify(authority.publicKey)).toBe(true);
      expect(parsed(pair).publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    }
  });

  test('the server is known by its names and addresses, and by no other', () => {
    const server = parsed(made.server);
    expect(server.checkHost('trainer.local')).toBe('trainer.local');
    expect(server.checkHost('other.local')).toBeUndefined();
    expect(server.checkIP('10.0.0.5')).toBe('10.0.0.5');
    expect(server.checkIP('::1')).toBe('::1');
    expect(server.checkIP('10.0.0.6')).toBeUndefined();
  });

  test('neither side can stand for the other, nor sign for anybody', () => {
    expect(parsed(made.server).keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(parsed(made.worker).keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(parsed(made.server).ca).toBe(false);
    expect(parsed(made.worker).ca).toBe(false);
  });

  test('is valid for the days asked for', () => {
    const { validFrom, validTo } = parsed(made.worker);
    expect(new Date(validTo).getTime() - new Date(validFrom).getTime()).toBe(30 * 86_400_000);
  });

  test.each(['', 'a b', 'host:50051', 'http://host', '-x'])('refuses the host %j', async (host) => {
    await expect(makeCertificates([host], 1)).rejects.toThrow(/--host '.*': give a host name or an IP address/);
  });
});

describe('writeCertificates', () => {
  test('writes keys for the owner alone, and never overwrites', async () => {
    const out = join(directory, 'certs');
    const options = { out, host: ['localhost'], days: 1 };
    await writeCertificates(options);
    for (const key of ['ca.key', 'server/tls.key', 'worker/tls.key']) {
      expect(statSync(join(out, key)).mode & 0o777).toBe(0o600);
    }
    await expect(writeCertificates(options)).rejects.toThrow(ConfigError);
    await expect(writeCertificates(options)).rejects.toThrow(/ca\.crt: is there already/);
  });
});

describe('readTls', () => {
  const files = (changes: Record<string, string> = {}) => {
    const paths = { cert: join(directory, 'c.pem'), key: join(directory, 'k.pem'), ca: join(directory, 'a.pem') };
    const contents = {
      cert: made.server.certificate,
      key: made.server.key,
      ca: made.authority.certificate,
      ...changes,
    };
    for (const [name, path] of Object.entries(paths)) writeFileSync(path, contents[name as keyof typeof contents]);
    return paths;
  };

  test('reads what belongs together', () => {
    expect(readTls(files()).key.toString()).toBe(made.server.key);
  });

  test.each([
    ['another key', () => ({ key: made.worker.key }), /k\.pem: this is not the key of the certificate .*c\.pem/],
    ['no key', () => ({ key: 'nonsense' }), /k\.pem: this is not a private key/],
    ['no certificate', () => ({ cert: 'nonsense' }), /c\.pem: this is not a certificate/],
    ['no authority', () => ({ ca: '' }), /a\.pem: this is not a certificate/],
  ])('refuses %s', (_, changes, message) => {
    expect(() => readTls(files(changes()))).toThrow(message);
    expect(() => readTls(files(changes()))).toThrow(ConfigError);
  });

  test('says which file is missing, expired or not yet valid', () => {
    const paths = files();
    expect(() => readTls({ ...paths, ca: join(directory, 'none') })).toThrow(/none: this TLS file does not exist/);
    expect(() => readTls(paths, new Date(Date.now() + 40 * 86_400_000))).toThrow(/c\.pem: the certificate expired on/);
    expect(() => readTls(paths, new Date(0))).toThrow(/not valid before/);
  });
});
