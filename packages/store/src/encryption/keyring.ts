import { accessRevisions } from '../access-revision.ts';
import type { Store } from '../database.ts';
import type { MasterKeys } from './master-keys.ts';
import { isTenantGone, type TenantKeys, TenantRing } from './tenant-keys.ts';

export interface Keyring {
  /**
   * Opened once for each tenant and kept in memory; a tenant's first call makes its keys. Rejects with `tenant_not_found`
   * once it is deleted.
   */
  ofTenant(tenantId: string): Promise<TenantKeys>;
  /** The tenants whose keys are in memory. */
  held(): string[];
  /** Lets go of a tenant's keys: whoever asks for them next reads what has become of them. */
  forget(tenantId: string): void;
}

/** A keyring, and what decides on its keys. */
export interface KeyManager extends Keyring {
  readonly masterKeys: MasterKeys;
  /** Reads a tenant's keys again, now. */
  refresh(tenantId: string): Promise<void>;
}

/**
 * What is open is used for so long without asking whether there are other keys by now. Less than half of the time for which
 * a new key is announced.
 */
const freshForMs = 2_000;
/** Whoever wants to read doesn't wait longer for that answer: what is open goes on being used. */
const patienceMs = 1_000;

export function createKeyring(store: Store, masterKeys: MasterKeys): KeyManager {
  const rings = new Map<string, TenantRing>();
  const opening = new Map<string, Promise<TenantRing>>();
  let checking: Promise<void> | null = null;

  async function open(tenantId: string): Promise<TenantRing> {
    const ring = new TenantRing(store, masterKeys, tenantId);
    await ring.load();
    // Not one that was let go of meanwhile.
    if (opening.has(tenantId)) rings.set(tenantId, ring);
    return ring;
  }

  /** One statement for all tenants that are open. */
  async function check(): Promise<void> {
    const startedAt = performance.now();
    const all = [...rings];
    try {
      const asked = accessRevisions(
        store,
        all.map(([tenantId]) => tenantId),
      );
      const revisions = await inTime(asked);
      const changed = all.filter(([tenantId, ring]) => (revisions.get(tenantId) ?? 0) !== ring.revision);
      for (const [tenantId, ring] of all)
        if ((revisions.get(tenantId) ?? 0) === ring.revision) ring.checkedAt = startedAt;
      for (const [, ring] of changed) ring.behind = true;
    } catch {
      // Nothing is known to have changed; asked again in a while.
      for (const [, ring] of all) ring.checkedAt = startedAt + patienceMs - freshForMs;
    }
  }

  async function freshen(tenantId: string, ring: TenantRing): Promise<void> {
    if (performance.now() - ring.checkedAt <= freshForMs) return;
    checking ??= check().finally(() => {
      checking = null;
    });
    await checking;
    if (!ring.behind) return;
    await inTime(ring.load()).catch((error: unknown) => {
      if (isTenantGone(error)) {
        rings.delete(tenantId);
        throw error;
      }
      ring.checkedAt = performance.now() + patienceMs - freshForMs;
    });
  }

  return {
    masterKeys,
    async ofTenant(tenantId) {
      const known = rings.get(tenantId);
      if (known) {
        await freshen(tenantId, known);
        return await known.keys();
      }
      let ring = opening.get(tenantId);
      if (!ring) {
        ring = open(tenantId).finally(() => opening.delete(tenantId));
        opening.set(tenantId, ring);
      }
      return await (await ring).keys();
    },
    async refresh(tenantId) {
      await rings.get(tenantId)?.load();
    },
    held: () => [...rings.keys()],
    forget(tenantId) {
      rings.delete(tenantId);
      opening.delete(tenantId);
    },
  };
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('late')), patienceMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
