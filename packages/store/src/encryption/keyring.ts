import { createSecretKey, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import type { Store, Tx } from '../database.ts';
import { refuseDeleted } from '../tenant-standing.ts';
import { keyedDigest, seal, unseal } from './cipher.ts';
import type { MasterKey } from './master-key.ts';

interface Sealed {
  ciphertext: Buffer;
  encryptionKeyId: string;
}

/** A tenant's keys, opened: one encrypts values, the other makes digests that can be compared but not guessed. */
export interface TenantKeys {
  seal(plaintext: Buffer, associated: string): Sealed;
  unseal(sealed: Sealed, associated: string): Buffer;
  digest(bytes: Buffer): Buffer;
  readonly digestKeyId: string;
  /** The key that `seal` uses. */
  readonly encryptionKeyId: string;
}

export interface Keyring {
  /**
   * Opened once for each tenant and kept in memory; a tenant's first call makes its keys. Rejects with `tenant_not_found`
   * once it is deleted.
   */
  ofTenant(tenantId: string): Promise<TenantKeys>;
  /** The tenants whose keys are in memory. */
  held(): string[];
  forget(tenantId: string): void;
}

/** What a ciphertext of a key's value is bound to. */
export const valueBinding = (tenantId: string, keyId: string, version: number) =>
  `value:${tenantId}:${keyId}:${version}`;
/** What the ciphertext of a backend's credentials is bound to. */
export const credentialsBinding = (tenantId: string, backendId: string) => `credentials:${tenantId}:${backendId}`;
/** What the ciphertext of a channel's addresses and credentials is bound to. */
export const channelBinding = (tenantId: string, channelId: string) => `channel:${tenantId}:${channelId}`;

const wrapping = (tenantId: string, keyId: string, purpose: string) => `wrap:${tenantId}:${keyId}:${purpose}`;

export function createKeyring(store: Store, masterKey: MasterKey): Keyring {
  const opened = new Map<string, Promise<TenantKeys>>();
  return {
    ofTenant(tenantId) {
      const known = opened.get(tenantId);
      if (known) return known;
      const keys = store.inTenant(tenantId, (tx) => openKeys(tx, tenantId, masterKey));
      opened.set(tenantId, keys);
      keys.catch(() => opened.delete(tenantId));
      return keys;
    },
    held: () => [...opened.keys()],
    forget: (tenantId) => void opened.delete(tenantId),
  };
}

async function openKeys(tx: Tx, tenantId: string, masterKey: MasterKey): Promise<TenantKeys> {
  await refuseDeleted(tx);
  await makeMissingKeys(tx, tenantId, masterKey);
  const rows = await tx.selectFrom('encryption_keys').selectAll().execute();
  const byId = new Map<string, KeyObject>();
  for (const row of rows) {
    const bytes = unseal(masterKey.bytes, row.wrapped, wrapping(tenantId, row.id, row.purpose));
    byId.set(row.id, createSecretKey(bytes));
  }
  const current = (purpose: 'data' | 'digest') => {
    const row = rows.find((candidate) => candidate.purpose === purpose && candidate.retired_at === null);
    if (!row) throw new KeyferryError('decryption_failed', `The tenant ${tenantId} has no ${purpose} key.`);
    return { id: row.id, key: byId.get(row.id) as KeyObject };
  };
  const data = current('data');
  const digest = current('digest');
  return {
    seal: (plaintext, associated) => ({
      ciphertext: seal(data.key, plaintext, associated),
      encryptionKeyId: data.id,
    }),
    unseal({ ciphertext, encryptionKeyId }, associated) {
      const key = byId.get(encryptionKeyId);
      if (!key) throw new KeyferryError('decryption_failed', 'A stored ciphertext names an unknown data key.');
      return unseal(key, ciphertext, associated);
    },
    digest: (bytes) => keyedDigest(digest.key, bytes),
    digestKeyId: digest.id,
    encryptionKeyId: data.id,
  };
}

async function makeMissingKeys(tx: Tx, tenantId: string, masterKey: MasterKey): Promise<void> {
  const present = await tx.selectFrom('encryption_keys').select('purpose').where('retired_at', 'is', null).execute();
  const missing = (['data', 'digest'] as const).filter((purpose) => !present.some((row) => row.purpose === purpose));
  if (missing.length === 0) return;
  const rows = missing.map((purpose) => {
    const id = randomUUID();
    const wrapped = seal(masterKey.bytes, randomBytes(32), wrapping(tenantId, id, purpose));
    return { id, tenant_id: tenantId, purpose, master_key_id: masterKey.id, wrapped };
  });
  // Two processes may meet here: the index on current keys lets one of them win, and both then read the winner's.
  await tx
    .insertInto('encryption_keys')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
