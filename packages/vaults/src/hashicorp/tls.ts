import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { vaultFailure } from '@keyferry/core';
import type { HashicorpConfig } from './config.ts';

/** What a TLS connection takes of the settings. Throws `config_invalid` for PEM that can't be used, by its field. */
export function tlsOptions({ tls, auth }: HashicorpConfig) {
  if (tls?.ca_cert) readPem('tls.ca_cert', 'certificate', () => new X509Certificate(tls.ca_cert ?? ''));
  checkPair(auth.client_cert, auth.client_key);
  return {
    // Said explicitly, since NODE_TLS_REJECT_UNAUTHORIZED must not decide for a tenant.
    rejectUnauthorized: true,
    ...(tls?.ca_cert && { ca: tls.ca_cert }),
    ...(tls?.server_name && { servername: tls.server_name }),
    ...(auth.client_cert && { cert: auth.client_cert }),
    ...(auth.client_key && { key: auth.client_key }),
  };
}

function checkPair(cert: string | undefined, key: string | undefined): void {
  if (cert === undefined || key === undefined) return;
  const certificate = readPem('auth.client_cert', 'certificate', () => new X509Certificate(cert));
  const privateKey = readPem('auth.client_key', 'private key without passphrase', () => createPrivateKey(key));
  if (!belongsTo(certificate, privateKey)) throw unusable('auth.client_key does not belong to auth.client_cert');
}

function belongsTo(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}

function readPem<Result>(field: string, kind: string, read: () => Result): Result {
  try {
    return read();
  } catch {
    throw unusable(`${field} is no PEM of a ${kind} that can be read`);
  }
}

function unusable(why: string) {
  return vaultFailure('invalid', `The settings can’t be used. ${why}.`, { code: 'config_invalid' });
}
