import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import {
  bits,
  boolean,
  implicit,
  integer,
  nothing,
  objectId,
  octets,
  sequence,
  set,
  tagged,
  time,
  utf8,
} from './der.ts';

/** A self-signed certificate and its key, both PEM. */
export interface TestCertificate {
  certificate: string;
  privateKey: string;
}

const validFrom = new Date('2020-01-01T00:00:00Z');
const usualEnd = new Date('2049-12-31T23:59:59Z');

const algorithms = {
  ec: () => sequence(objectId('1.2.840.10045.4.3.2')),
  rsa: () => sequence(objectId('1.2.840.113549.1.1.11'), nothing()),
};

/**
 * Makes a certificate that is good until 2049, or another time, for these host names and addresses. Nothing but a test should trust it:
 * whoever wants to be that host needs no more than this function and its key.
 */
export function createTestCertificate(
  commonName: string,
  hosts: readonly string[],
  kind: 'ec' | 'rsa',
  validUntil = usualEnd,
): TestCertificate {
  const { privateKey, publicKey } =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(set(sequence(objectId('2.5.4.3'), utf8(commonName))));
  const algorithm = algorithms[kind]();
  const signed = sequence(
    tagged(0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    algorithm,
    name,
    sequence(time(validFrom), time(validUntil)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(authority(), ...(hosts.length > 0 ? [subjectNames(hosts)] : []))),
  );
  const der = sequence(signed, algorithm, bits(sign('sha256', signed, privateKey)));
  const body = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${body}-----END CERTIFICATE-----\n`,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function authority(): Buffer {
  return sequence(objectId('2.5.29.19'), boolean(true), octets(sequence(boolean(true))));
}

function subjectNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) => (isIP(host) === 4 ? implicit(7, address(host)) : implicit(2, Buffer.from(host))));
  return sequence(objectId('2.5.29.17'), octets(sequence(...names)));
}

function address(host: string): Buffer {
  return Buffer.from(host.split('.').map(Number));
}
