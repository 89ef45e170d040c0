import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { KeyferryError } from '@keyferry/core';

/**
 * Trusts the certificates in a file beside the usual authorities, in this process, as NODE_EXTRA_CA_CERTS would have from its
 * start. Throws `usage_invalid`.
 */
export function trustAuthority(file: string): void {
  try {
    setDefaultCACertificates([...getCACertificates('default'), readFileSync(file, 'utf8')]);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new KeyferryError(
      'usage_invalid',
      `KEYFERRY_CA_FILE names ${file}, which holds no certificate in PEM (${code}).`,
    );
  }
}
