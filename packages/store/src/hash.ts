import { createHash } from 'node:crypto';

/** The first half of the SHA-256 of a remote path: `keys.remote_hash`. */
export function remoteHash(remotePath: string): Buffer {
  return createHash('sha256').update(remotePath, 'utf8').digest().subarray(0, 16);
}
