// @peculiar/x509 registers its parts by reflection, and asks its user to bring this.
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { ConfigError } from '../errors.ts';

/** A certificate and its private key, both PEM. */
export interface PemPair {
  readonly certificate: string;
  readonly key: string;
}

/** A private authority and what it has signed. */
export interface Certificates {
  readonly authority: PemPair;
  readonly server: PemPair;
  readonly worker: PemPair;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 86_400_000;

/**
 * Makes a private certificate authority, a server's certificate for `hosts` and a worker's, all ECDSA on P-256.
 * A worker's certificate cannot stand for a server, nor the other way round (extended key usage).
 * @param hosts names and IP addresses by which workers call the server
 * @param days how long all three are valid
 * @throws ConfigError when there is no host, or one is neither a name nor an address
 */
export async function makeCertificates(hosts: readonly string[], days: number): Promise<Certificates> {
  if (hosts.length === 0) throw new ConfigError('--host: name at least one host by which workers call the server');
  const names = hosts.map(subjectName);
  x509.cryptoProvider.set(webcrypto);
  const newKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const authorityKeys = await newKeys();
  // Clocks of a cluster differ a little: valid from an hour ago.
  const notBefore = new Date(Date.now() - 3_600_000);
  const period = { notBefore, notAfter: new Date(notBefore.getTime() + days * DAY), signingAlgorithm: ALGORITHM };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...period,
    serialNumber: serialNumber(),
    name: 'CN=dpfl private authority',
    keys: authorityKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authorityKeys.publicKey, false, webcrypto),
    ],
  });
  const issue = async (name: string, usage: string, more: x509.Extension[]): Promise<PemPair> => {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...period,
      serialNumber: serialNumber(),
      subject: `CN=${name}`,
      issuer: authority.subject,
      signingKey: authorityKeys.privateKey,
      publicKey: keys.publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage], true),
        await x509.AuthorityKeyIdentifierExtension.create(authority, false, webcrypto),
        ...more,
      ],
    });
    return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) };
  };
  return {
    authority: { certificate: pemOf(authority), key: await keyPem(authorityKeys.privateKey) },
    server: await issue('dpfl server', x509.ExtendedKeyUsage.serverAuth, [
      new x509.SubjectAlternativeNameExtension(names),
    ]),
    worker: await issue('dpfl worker', x509.ExtendedKeyUsage.clientAuth, []),
  };
}

function subjectName(host: string): x509.JsonGeneralName {
  if (isIP(host) !== 0) return { type: 'ip', value: host };
  if (!/^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(host)) {
    throw new ConfigError(`--host '${host}': give a host name or an IP address, without a port`);
  }
  return { type: 'dns', value: host };
}

/** 127 random bits: unique without book-keeping, and positive. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`;
}
