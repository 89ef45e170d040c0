import { type EventType, forEachDespiteErrors, type Lifecycle, parseLifecycle } from '@keyferry/core';
import {
  allTenants,
  appendEvents,
  type Backend,
  backendsToReckon,
  backendsWithDueKeys,
  byTime,
  type DueKey,
  type DueKind,
  dueKinds,
  findDueKeys,
  type KeyFacts,
  keyEvents,
  keysToReckon,
  type LockedKey,
  lockDueKeys,
  moveKeys,
  noteOverdueTold,
  noteReckoned,
  purgeKeys,
  reckonKeys,
  type Tx,
} from '@keyferry/store';
import type { CoordinationServices } from '../services.ts';

/** What one pass does to keys that are due, and how it tells of it. */
interface Pass {
  event: Extract<EventType, `keys.${string}`>;
  act(tx: Tx, work: { backend: Backend; lifecycle: Lifecycle; keys: LockedKey[]; now: Date }): Promise<void>;
  /** What the event tells of each key beside its path. */
  facts?(key: LockedKey, lifecycle: Lifecycle, now: Date): KeyFacts;
}

const passes: Record<DueKind, Pass> = {
  expiry: {
    event: 'keys.expired',
    act: (tx, { backend, lifecycle, keys, now }) =>
      moveKeys(tx, backend.tenant_id, keys, () => lifecycle, {
        event: 'expiryPassed',
        change: 'expired',
        cause: byTime,
        now,
      }),
  },
  archive: {
    event: 'keys.archived',
    act: (tx, { backend, lifecycle, keys, now }) =>
      moveKeys(tx, backend.tenant_id, keys, () => lifecycle, {
        event: 'graceOver',
        change: 'archived',
        cause: byTime,
        now,
      }),
  },
  purge: {
    event: 'keys.purged',
    act: (tx, { keys, now }) => purgeKeys(tx, idsOf(keys), now),
  },
  archive_reminder: {
    event: 'keys.archiving_soon',
    act: (tx, { lifecycle, keys, now }) => reckonKeys(tx, told(keys, 'archiveReminderAt'), lifecycle, now),
    facts: (key, lifecycle, now) => ({ at: lifecycle.timesOf(key, now).archiveAt }),
  },
  expiry_reminder: {
    event: 'keys.expiring_soon',
    act: (tx, { lifecycle, keys, now }) => reckonKeys(tx, told(keys, 'expiryReminderAt'), lifecycle, now),
    facts: (key) => ({ at: key.expiresAt }),
  },
  rotation: {
    event: 'keys.rotation_overdue',
    act: (tx, { keys }) => noteOverdueTold(tx, idsOf(keys)),
    facts: (key, lifecycle, now) => ({ due_at: lifecycle.timesOf(key, now).rotationDueAt }),
  },
};

/** Keys that one transaction moves at most, so that a sweep never holds many rows for long. */
const batchSize = 1_000;
/** Keys that are looked for at once: an index goes past all that was done before, while some old transaction is open. */
const foundAtOnce = 10_000;

export type SweepCounts = Record<Pass['event'], number>;

/** Does what is due by time alone: expiry, the end of grace, retention, reminders. Any number of schedulers may run it. */
export async function sweep(services: CoordinationServices): Promise<SweepCounts> {
  const counts = Object.fromEntries(dueKinds.map((kind) => [passes[kind].event, 0])) as SweepCounts;
  await forEachDespiteErrors(await allTenants(services.store), async (tenantId) => {
    const changed = await services.store.inTenant(tenantId, backendsToReckon);
    await forEachDespiteErrors(changed, (backend) => reckonBackend(services, backend));
    const due = await services.store.inTenant(tenantId, (tx) => backendsWithDueKeys(tx, services.now()));
    await forEachDespiteErrors(due, async ({ backend, due: kinds }) => {
      for (const kind of kinds) counts[passes[kind].event] += await sweepBackend(services, backend, kind);
    });
  });
  return counts;
}

async function sweepBackend(services: CoordinationServices, backend: Backend, kind: DueKind): Promise<number> {
  const { store, now } = services;
  const lifecycle = parseLifecycle(backend);
  let swept = 0;
  for (;;) {
    const found = await store.inTenant(backend.tenant_id, (tx) => findDueKeys(tx, backend, kind, now(), foundAtOnce));
    let done = 0;
    for (let start = 0; start < found.length; start += batchSize)
      done += await sweepBatch(services, backend, lifecycle, kind, found.slice(start, start + batchSize));
    swept += done;
    // What somebody else holds would be found again and again.
    if (done < foundAtOnce) return swept;
  }
}

async function sweepBatch(
  { store, now: clock }: CoordinationServices,
  backend: Backend,
  lifecycle: Lifecycle,
  kind: DueKind,
  found: readonly DueKey[],
): Promise<number> {
  const { event, act, facts } = passes[kind];
  const now = clock();
  return await store.inTenant(backend.tenant_id, async (tx) => {
    const keys = await lockDueKeys(tx, backend, found, kind, now);
    if (keys.length === 0) return 0;
    await act(tx, { backend, lifecycle, keys, now });
    const items = keys.map((key) => ({ path: key.localPath, ...facts?.(key, lifecycle, now) }));
    await appendEvents(tx, backend.id, keyEvents(event, backend, null, items), now);
    return keys.length;
  });
}

/** Reckons what is due for a backend's keys anew, after its settings have changed. */
async function reckonBackend(services: CoordinationServices, backend: Backend): Promise<void> {
  const lifecycle = parseLifecycle(backend);
  const all = backend.lifecycle_rules.some((rule) => rule.rotate_every_seconds !== undefined);
  let after: Buffer | undefined = Buffer.alloc(0);
  while (after) {
    const page: Buffer = after;
    after = await services.store.inTenant(backend.tenant_id, async (tx) => {
      const keys = await keysToReckon(tx, backend.id, { after: page, all, limit: batchSize });
      await reckonKeys(tx, keys, lifecycle, services.now());
      return keys.length < batchSize ? undefined : keys.at(-1)?.remoteHash;
    });
  }
  await services.store.inTenant(backend.tenant_id, (tx) => noteReckoned(tx, backend));
}

const idsOf = (keys: readonly LockedKey[]) => keys.map(({ id }) => id);

/** As if the reminder that is due had never been: it is told of now, and the next one is looked for. */
const told = (keys: readonly LockedKey[], reminder: 'archiveReminderAt' | 'expiryReminderAt') =>
  keys.map((key) => ({ ...key, [reminder]: null }));
