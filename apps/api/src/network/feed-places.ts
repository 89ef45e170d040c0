import { KeyferryError } from '@keyferry/core';
import type { Identity } from '@keyferry/identity';
import { feedRetryMs, feedsOfIdentity } from '../limits.ts';

/** Lets each identity follow changes only so many times at once. */
export function createFeedPlaces(most = feedsOfIdentity) {
  const taken = new Map<string, number>();
  return {
    /** Returns how to leave the place, once. Throws `rate_limited`. */
    take({ tenantId, actor }: Pick<Identity, 'tenantId' | 'actor'>): () => void {
      const who = `${tenantId}:${actor}`;
      const now = taken.get(who) ?? 0;
      if (now >= most)
        throw new KeyferryError('rate_limited', `${actor} follows changes ${most} times already.`, {
          retryAfterMs: feedRetryMs,
        });
      taken.set(who, now + 1);
      return () => {
        const left = (taken.get(who) ?? 1) - 1;
        if (left === 0) taken.delete(who);
        else taken.set(who, left);
      };
    },
  };
}
