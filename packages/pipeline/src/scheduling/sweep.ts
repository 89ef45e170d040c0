import { type EventType, forEachDespiteErrors } from '@keyferry/core';
import {
  allTenants,
  appendEvents,
  archiveKeys,
  expireKeys,
  listBackends,
  lockBackends,
  purgeKeys,
  type Swept,
  type Tx,
} from '@keyferry/store';
import { keyEvents } from '../key-events.ts';
import type { CoordinationServices } from '../services.ts';

type SweepEvent = Extract<EventType, 'keys.expired' | 'keys.archived' | 'keys.purged'>;

const passes: readonly [SweepEvent, (tx: Tx, now: Date, limit: number) => Promise<Swept[]>][] = [
  ['keys.expired', expireKeys],
  ['keys.archived', archiveKeys],
  ['keys.purged', purgeKeys],
];

/** Keys that one transaction moves at most, so that a sweep never holds many rows for long. */
const batchSize = 1_000;

export type SweepCounts = Record<SweepEvent, number>;

/** Does what is due by time alone: expiry, the end of grace, retention. */
export async function sweep(services: CoordinationServices): Promise<SweepCounts> {
  const counts: SweepCounts = { 'keys.expired': 0, 'keys.archived': 0, 'keys.purged': 0 };
  await forEachDespiteErrors(await allTenants(services.store), async (tenantId) => {
    for (const [type, pass] of passes) {
      let moved: number;
      do {
        moved = await services.store.inTenant(tenantId, async (tx) => {
          const now = services.now();
          const swept = await pass(tx, now, batchSize);
          await tell(tx, type, swept, now);
          return swept.length;
        });
        counts[type] += moved;
      } while (moved === batchSize);
    }
  });
  return counts;
}

async function tell(tx: Tx, type: SweepEvent, swept: Swept[], now: Date): Promise<void> {
  if (swept.length === 0) return;
  const touched = await backendsOf(tx, swept);
  await lockBackends(
    tx,
    touched.map(({ id }) => id),
  );
  // A removed backend still has keys whose retention ends; its events go on under its id.
  for (const backend of touched) {
    const paths = swept.filter((key) => key.backend_id === backend.id).map((key) => key.local_path);
    await appendEvents(tx, backend.id, keyEvents(type, backend, null, paths), now);
  }
}

async function backendsOf(tx: Tx, swept: Swept[]) {
  const ids = [...new Set(swept.map((key) => key.backend_id))].sort();
  const known = new Map((await listBackends(tx, { removedToo: true })).map((backend) => [backend.id, backend]));
  return ids.flatMap((id) => known.get(id) ?? []);
}
