import { setTimeout as wait } from 'node:timers/promises';
import { KeyferryError } from '@keyferry/core';
import { sql } from 'kysely';
import { raiseAccessRevision } from '../access-revision.ts';
import { audit } from '../audit/audit.ts';
import { codeOf, type Store } from '../database.ts';
import type { KeyManager } from './keyring.ts';
import { reseal } from './reseal.ts';
import { countSealed } from './sealed-columns.ts';
import { type RewrapRow, rewrapRows, wrapAnew } from './wrap-anew.ts';

/** Nobody holds a value that long between sealing and storing it. If somebody does, a foreign key refuses what is stored. */
const destructionGraceMs = 15 * 60_000;
/** From one line of progress to the next, at least. */
const tellEveryMs = 250;

/** How far a rewrap has come with one tenant. */
export interface RewrapProgress {
  tenant_id: string;
  /** Data keys that were wrapped by the current master key. */
  wrapped: number;
  /** Ciphertexts that were sealed by the current data key, and those that are left. */
  resealed: number;
  left: number;
  /** Ciphertexts, or wrapped data keys, that don't open. They are left as they are. */
  failed: number;
  /** Data keys that were destroyed, and retired ones that are not yet. */
  destroyed: number;
  retired: number;
}

export type RewrapSummary = Omit<RewrapProgress, 'tenant_id' | 'left'> & { tenants: number };

export interface RewrapOptions {
  store: Store;
  keyring: KeyManager;
  /** All that need it, where none is given. */
  tenantId?: string;
  /** Who does it, as the log of each tenant names them. */
  actorIn: (tenantId: string) => string;
  now: () => Date;
  signal: AbortSignal;
  graceMs?: number;
}

/**
 * Wraps data keys by the current master key, seals anew what retired data keys have sealed, and destroys those that nothing
 * is sealed by any more. It may be ended at any moment, begun again, and run twice at once: what is left to do is what the
 * rows say. Reads and cycles go on. Rejects with what keeps all of it from going on, as `key_provider_unavailable`.
 */
export async function* rewrap(options: RewrapOptions): AsyncGenerator<RewrapProgress, RewrapSummary> {
  const tenants = options.tenantId === undefined ? await tenantsToRewrap(options) : [options.tenantId];
  const total: RewrapSummary = { tenants: 0, wrapped: 0, resealed: 0, failed: 0, destroyed: 0, retired: 0 };
  for (const tenantId of tenants) {
    options.signal.throwIfAborted();
    const progress = yield* rewrapTenant(options, tenantId);
    total.tenants++;
    for (const count of ['wrapped', 'resealed', 'failed', 'destroyed', 'retired'] as const)
      total[count] += progress[count];
  }
  return total;
}

async function tenantsToRewrap({ store, keyring }: RewrapOptions): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM keyferry.tenants_to_rewrap(${keyring.masterKeys.current.id}) AS id ORDER BY 1`.execute(store.global);
  return rows.map(({ id }) => id);
}

async function* rewrapTenant(options: RewrapOptions, tenantId: string): AsyncGenerator<RewrapProgress, RewrapProgress> {
  const { store, keyring, actorIn, now, signal } = options;
  const progress = { tenant_id: tenantId, wrapped: 0, resealed: 0, left: 0, failed: 0, destroyed: 0, retired: 0 };
  try {
    const before = await rewrapRows(store, tenantId);
    const by = { actor: actorIn(tenantId), now: now() };
    progress.wrapped = await wrapAnew(store, keyring.masterKeys, tenantId, before, by);
    const keyIds = await retiredKeys(await rewrapRows(store, tenantId), signal);
    if (keyIds.length > 0) {
      await keyring.refresh(tenantId);
      progress.left = await beginResealing(options, tenantId, keyIds);
      let told = performance.now();
      for await (const { done, failed } of reseal(options, tenantId, keyIds, signal)) {
        progress.resealed += done;
        progress.failed += failed;
        progress.left = Math.max(0, progress.left - done - failed);
        if (performance.now() - told < tellEveryMs) continue;
        told = performance.now();
        yield { ...progress };
      }
      for (const keyId of keyIds) if (await destroyUnused(options, tenantId, keyId)) progress.destroyed++;
      progress.retired = keyIds.length - progress.destroyed;
    }
  } catch (error) {
    // One tenant's broken key keeps no other waiting.
    if (!(error instanceof KeyferryError) || error.code !== 'decryption_failed') throw error;
    progress.failed++;
  }
  yield { ...progress };
  return progress;
}

/** How many ciphertexts are to be sealed anew, which the audit log tells before the first is. */
async function beginResealing({ store, actorIn, now }: RewrapOptions, tenantId: string, data_keys: string[]) {
  return await store.inTenant(tenantId, async (tx) => {
    const counts = await countSealed(tx, data_keys);
    const ciphertexts = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const details = { data_keys, ciphertexts };
    const entry = { actor: actorIn(tenantId), action: 'encryption.resealed', target: 'ciphertexts', details };
    if (ciphertexts > 0) await audit(tx, tenantId, entry, now());
    return ciphertexts;
  });
}

/** Waits for those that are about to be retired: until then nobody seals with the key that comes after. */
async function retiredKeys(rows: readonly RewrapRow[], signal: AbortSignal): Promise<string[]> {
  const retired = rows.filter(({ purpose, retired_in }) => purpose === 'data' && retired_in !== null);
  const longest = Math.max(0, ...retired.map(({ retired_in }) => retired_in ?? 0));
  if (longest > 0) await wait(longest, undefined, { signal });
  return retired.map(({ id }) => id);
}

/**
 * Deletes a retired data key that nothing names. Whoever is about to store what it has sealed holds its row, and is waited
 * for; whoever comes later is refused by the foreign key.
 */
async function destroyUnused(
  { store, actorIn, now, graceMs = destructionGraceMs }: RewrapOptions,
  tenantId: string,
  keyId: string,
): Promise<boolean> {
  try {
    return await store.inTenant(tenantId, async (tx) => {
      const { rows } = await sql`
        SELECT id FROM encryption_keys WHERE id = ${keyId} AND destroyed_at IS NULL
          AND retired_at <= clock_timestamp() - ${graceMs} * interval '1 millisecond' FOR UPDATE`.execute(tx);
      if (rows.length === 0) return false;
      const sealed = await countSealed(tx, [keyId]);
      if (sealed.get(keyId) !== 0) return false;
      await tx.deleteFrom('encryption_keys').where('id', '=', keyId).execute();
      await raiseAccessRevision(tx, tenantId);
      const entry = { actor: actorIn(tenantId), action: 'encryption.key_destroyed', target: keyId };
      await audit(tx, tenantId, entry, now());
      return true;
    });
  } catch (error) {
    if (codeOf(error) === foreignKeyViolation) return false;
    throw error;
  }
}

const foreignKeyViolation = '23503';
