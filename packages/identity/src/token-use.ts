import { noteTokenUse, type Store, tokenUseIntervalMs } from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';
import { keepAtMost } from './kept.ts';

/** Notes when tokens are used: in batches, and out of the way of who uses them. */
export interface TokenUse {
  note(tenantId: string, tokenId: string, at: Date): void;
  /** Writes what was noted. */
  flush(): Promise<void>;
  /** Writes what was noted, a last time. */
  close(): Promise<void>;
}

const batchMs = 5_000;
/** Of which it is known when they were last noted: others are noted again, which Postgres then finds too early. */
const mostKnown = 50_000;

export function followTokenUse({ store, log }: { store: Store; log: Log }): TokenUse {
  const noted = keepAtMost<number>(mostKnown);
  let waiting = new Map<string, Map<string, Date>>();
  let timer: NodeJS.Timeout | null = null;

  async function flush(): Promise<void> {
    const batch = waiting;
    waiting = new Map();
    if (timer) clearTimeout(timer);
    timer = null;
    for (const [tenantId, uses] of batch) await store.inTenant(tenantId, (tx) => noteTokenUse(tx, uses));
  }

  // What is lost is noted with the next use, a minute later.
  const flushInPeace = () =>
    flush().catch((error: Error) => log.warn({ error }, 'it can’t be noted which tokens were used'));

  return {
    note(tenantId, tokenId, at) {
      const last = noted.get(tokenId);
      if (last !== undefined && Math.abs(at.getTime() - last) < tokenUseIntervalMs) return;
      noted.set(tokenId, at.getTime());
      const uses = waiting.get(tenantId) ?? new Map<string, Date>();
      waiting.set(tenantId, uses.set(tokenId, at));
      timer ??= setTimeout(flushInPeace, batchMs).unref();
    },
    flush,
    close: flushInPeace,
  };
}
