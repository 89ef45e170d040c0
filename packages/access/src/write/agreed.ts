import { isServed } from '@keyferry/core';
import type { WritableKey } from '@keyferry/store';
import type { JudgedValue } from './judge-value.ts';

/** Whether both sides have had this value, and the key is served. */
export function isAgreed(key: WritableKey, { digest }: Pick<JudgedValue, 'digest'>, now: Date): boolean {
  const { state, rolledBack, localDigest, remoteDigest } = key;
  const same = localDigest.equals(digest) && remoteDigest.equals(digest);
  return state === 'active' && isServed(key, now) && !rolledBack && same;
}
