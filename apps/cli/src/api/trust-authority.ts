import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { KeyferryError } from '@keyferry/core';

/**
 * Trusts the certificates in a file beside the usual authorities, in this process, as NODE_EXTRA_CA_CERTS would have from its
 * start. Throws `usage_invalid`.
 */
export function trustAuthority(file: string): void {
  setDefaultCACertificates([...getCACertificates('default'), readAuthority(file)]);
}

function readAuthority(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    // The list itself takes any text, and leaves out what is no certificate.
    new X509Certificate(text);
    return text;
  } catch {
    throw new KeyferryError(
      'usage_invalid',
      `KEYFERRY_CA_FILE names ${file}, which can't be read or holds no certificate in PEM.`,
    );
  }
}
