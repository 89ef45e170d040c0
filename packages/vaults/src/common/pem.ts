import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** What is wrong with a certificate, in words that go after the field's name, or null. */
export function certificateProblem(pem: string): string | null {
  return read(() => new X509Certificate(pem)) ? null : 'is no PEM of a certificate that can be read';
}

/** What is wrong with a key for a certificate that can be read, in words that go after the key's field, or null. */
export function privateKeyProblem(key: string, certificate: string): string | null {
  const privateKey = read(() => createPrivateKey(key));
  if (!privateKey) return 'is no PEM of a private key without passphrase that can be read';
  return belongsTo(new X509Certificate(certificate), privateKey) ? null : 'does not belong to the certificate';
}

function belongsTo(certificate: X509Certificate, key: KeyObject): boolean {
  return read(() => certificate.checkPrivateKey(key)) ?? false;
}

function read<Result>(attempt: () => Result): Result | null {
  try {
    return attempt();
  } catch {
    return null;
  }
}
