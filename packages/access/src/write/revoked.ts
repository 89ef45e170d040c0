import { KeyferryError } from '@keyferry/core';
import type { WriteTarget } from './target.ts';

/** Throws `key_revoked`: what a person took out of use stays so until a person lifts it. */
export function refuseRevoked({ key, localPath }: WriteTarget): void {
  if (key?.revoked) throw new KeyferryError('key_revoked', `"${localPath}" is revoked.`);
}
