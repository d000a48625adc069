import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { serverSecurity, workerSecurity } from '../../cli/security.ts';
import { removeTokenFile, writeTokenFile } from '../../cli/token-file.ts';
import { writeCertificates } from '../../cli/write-certificates.ts';
import { ConfigError } from '../../errors.ts';

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dpfl-security-'));
  await writeCertificates({ out: join(directory, 'certs'), host: ['localhost'], days: 1 });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const token = 'a-token-of-many-characters';
const open = [
  '0.0.0.0:1',
  '10.1.2.3:1',
  '[::]:1',
  'trainer.local:1',
  '127.0.0.1.evil.example:1',
  'localhost.example:1',
];
const closed = ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1'];

describe('serverSecurity', () => {
  test.each(open)('refuses plaintext on %s', (listen) => {
    expect(() => serverSecurity(listen, {}, {})).toThrow(ConfigError);
    expect(() => serverSecurity(listen, {}, {})).toThrow(/plaintext; make certificates with dpfl certs and give --tls/);
  });

  test.each(open)('with --insecure on %s there is still a token', (listen) => {
    const made = serverSecurity(listen, { insecure: true }, {});
    expect(made).toMatchObject({ tls: undefined, tokenIsNew: true });
    expect(made.token).toMatch(/^[\w-]{43}$/);
    expect(serverSecurity(listen, { insecure: true }, {}).token).not.toBe(made.token);
  });

  test.each(closed)('needs nothing on %s', (listen) => {
    expect(serverSecurity(listen, {}, {})).toEqual({ tls: undefined, token: undefined });
  });

  test('takes certificates from a directory, or file by file', () => {
    const certs = join(directory, 'certs', 'server');
    const whole = serverSecurity('0.0.0.0:1', { tls: certs }, { DPFL_TOKEN: token });
    const { tls } = serverSecurity(
      '0.0.0.0:1',
      { tlsCert: join(certs, 'tls.crt'), tlsKey: join(certs, 'tls.key'), tlsCa: join(certs, 'ca.crt') },
      {},
    );
    expect(whole).toEqual({ tls, token, tokenIsNew: false });
    expect(() => serverSecurity('0.0.0.0:1', { tlsCert: join(certs, 'tls.crt') }, {})).toThrow(/--tls-key is missing/);
  });
});

describe('workerSecurity', () => {
  test.each(open)('does not send its token to %s in plaintext', (server) => {
    expect(() => workerSecurity(server, {}, { DPFL_TOKEN: token })).toThrow(/plaintext; give --tls/);
    expect(workerSecurity(server, { insecure: true }, { DPFL_TOKEN: token }).token).toBe(token);
  });

  test('reads the token from a file, which wins over the variable', () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, `${token}\n`);
    expect(workerSecurity('localhost:1', { tokenFile }, { DPFL_TOKEN: 'another-token-of-characters' }).token).toBe(
      token,
    );
    expect(() => workerSecurity('localhost:1', { tokenFile: 'none' }, {})).toThrow(
      /--token-file none: the file cannot/,
    );
  });

  test.each(['short', 'with a space in its middle', 'with-ünprintable-letters', `x${'y'.repeat(600)}`])(
    'refuses the token %j without repeating it',
    (bad) => {
      const attempt = () => workerSecurity('localhost:1', {}, { DPFL_TOKEN: bad });
      expect(attempt).toThrow(/^DPFL_TOKEN: a token is 16 to 512 printable characters/);
      expect(attempt).not.toThrow(bad);
    },
  );
});

test('the token file is for its owner alone, also when an old one with other rights is there', () => {
  const path = join(directory, 'worker.token');
  writeFileSync(path, 'old', { mode: 0o666 });
  expect(writeTokenFile(directory, token)).toBe(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  removeTokenFile(directory);
  removeTokenFile(directory);
  expect(() => statSync(path)).toThrow(/ENOENT/);
});
