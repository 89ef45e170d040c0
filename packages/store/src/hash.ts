import { hash } from 'node:crypto';

/** The first half of the SHA-256 of a remote path: `keys.remote_hash`. */
export function remoteHash(remotePath: string): Buffer {
  return hash('sha256', remotePath, 'buffer').subarray(0, 16);
}
