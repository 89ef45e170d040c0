import type { Redis } from '@keyferry/queue';

/** How processes tell each other at once that everything is flushed; where it doesn't arrive, the change feed does. */
export interface FlushChannel {
  /** Resolves also where Redis is away. */
  publish(tenantId: string): Promise<void>;
  close(): void;
}

export function openFlushChannel(
  redis: Redis,
  prefix: string,
  flushed: (tenantId: string) => void,
  onError: () => void,
): FlushChannel {
  const channel = `${prefix}:flushed`;
  // A connection that listens can do nothing else.
  const listening = redis.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null });
  listening.on('error', onError);
  listening.on('message', (_channel, tenantId) => flushed(tenantId));
  // Subscribed again by itself whenever the connection was lost.
  listening.subscribe(channel).catch(onError);
  return {
    async publish(tenantId) {
      await redis.publish(channel, tenantId).catch(onError);
    },
    close: () => listening.disconnect(),
  };
}
