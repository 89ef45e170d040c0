import { createSecretKey, type KeyObject } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import type { Store } from '../database.ts';
import { wrappingBinding } from './bindings.ts';
import { keyedDigest, seal, unseal } from './cipher.ts';
import { type DataKeyRow, dataKeysDestroyed, makeMissingKeys, readDataKeys } from './data-keys.ts';
import type { MasterKeys } from './master-keys.ts';

export interface Sealed {
  ciphertext: Buffer;
  encryptionKeyId: string;
}

/**
 * A tenant's keys, opened: one encrypts values, the other makes digests that can be compared but not guessed. What is sealed
 * by one of these is sealed by one data key, however long it is kept; opened is what any data key of the tenant has sealed.
 */
export interface TenantKeys {
  seal(plaintext: Buffer, associated: string): Sealed;
  /** Rejects with `decryption_failed`; with `key_provider_unavailable` for a data key that could not be opened yet. */
  unseal(sealed: Sealed, associated: string): Promise<Buffer>;
  digest(bytes: Buffer): Buffer;
  readonly digestKeyId: string;
  /** The key that `seal` uses. */
  readonly encryptionKeyId: string;
}

/** A key that was destroyed because nothing is sealed by it any more opens what was read before, for so long. */
const lingerMs = 600_000;
/** From one failure to open a key to the next try. */
const retryMs = 1_000;

interface DataKey {
  row: DataKeyRow;
  /** By this process's own clock. */
  currentFrom: number;
  opened: KeyObject | null;
  opening: Promise<KeyObject> | null;
  failed: { error: unknown; at: number } | null;
  goneAt: number | null;
}

/** Whether keys can't be read because their tenant is deleted. */
export const isTenantGone = (error: unknown): boolean =>
  error instanceof KeyferryError && error.code === 'tenant_not_found';

/** The keys of one tenant as this process knows them. */
export class TenantRing {
  readonly #store: Store;
  readonly #masterKeys: MasterKeys;
  readonly #tenantId: string;
  #keys = new Map<string, DataKey>();
  #destroyed = false;
  #loading: Promise<void> | null = null;
  /** Those of the current data key; made anew when another one is. */
  #face: TenantKeys | null = null;
  /** Of the tenant, when its keys were read last. */
  revision = -1;
  /** When it was last known that they have not changed since. */
  checkedAt = 0;
  /** Whether there may be other keys by now. */
  behind = false;

  constructor(store: Store, masterKeys: MasterKeys, tenantId: string) {
    this.#store = store;
    this.#masterKeys = masterKeys;
    this.#tenantId = tenantId;
  }

  /** Reads the keys again; for all who want it at a time once. Keys that are open stay so. */
  load(): Promise<void> {
    this.#loading ??= this.#load()
      .catch((error: unknown) => {
        if (isTenantGone(error)) this.#letGo();
        throw error;
      })
      .finally(() => {
        this.#loading = null;
      });
    return this.#loading;
  }

  /** The keys to work with. Rejects where the digest key can't be opened, or with `data_keys_destroyed`. */
  async keys(): Promise<TenantKeys> {
    if (this.#destroyed) throw dataKeysDestroyed(this.#tenantId);
    const data = this.#current('data');
    const digest = this.#current('digest');
    if (this.#face?.encryptionKeyId === data.row.id && data.opened) return this.#face;
    const digestKey = digest.opened ?? (await this.#open(digest));
    // A provider that is away keeps nobody from reading what is open.
    const sealing = data.opened ?? (await this.#open(data).catch((error: unknown) => ({ error })));
    const made = this.#makeFace(data.row.id, sealing, digest.row.id, digestKey);
    if (!('error' in sealing)) this.#face = made;
    return made;
  }

  #makeFace(
    encryptionKeyId: string,
    sealing: KeyObject | { error: unknown },
    digestKeyId: string,
    digestKey: KeyObject,
  ): TenantKeys {
    return {
      seal(plaintext, associated) {
        if ('error' in sealing) throw sealing.error;
        return { ciphertext: seal(sealing, plaintext, associated), encryptionKeyId };
      },
      unseal: (sealed, associated) => this.#unseal(sealed, associated),
      digest: (bytes) => keyedDigest(digestKey, bytes),
      digestKeyId,
      encryptionKeyId,
    };
  }

  async #unseal({ ciphertext, encryptionKeyId }: Sealed, associated: string): Promise<Buffer> {
    let key = this.#keys.get(encryptionKeyId);
    if (!key && !this.#destroyed) {
      await this.load();
      key = this.#keys.get(encryptionKeyId);
    }
    if (this.#destroyed) throw dataKeysDestroyed(this.#tenantId);
    if (!key) throw new KeyferryError('decryption_failed', 'A stored ciphertext names an unknown data key.');
    return unseal(key.opened ?? (await this.#open(key)), ciphertext, associated);
  }

  #current(purpose: DataKeyRow['purpose']): DataKey {
    const now = performance.now();
    const usable = [...this.#keys.values()].filter(
      ({ row, currentFrom, goneAt }) => row.purpose === purpose && goneAt === null && currentFrom <= now,
    );
    const newest = usable.reduce<DataKey | null>(
      (best, key) => (best && best.currentFrom > key.currentFrom ? best : key),
      null,
    );
    if (newest) return newest;
    throw new KeyferryError('decryption_failed', `The tenant ${this.#tenantId} has no ${purpose} key.`);
  }

  async #load(): Promise<void> {
    const startedAt = performance.now();
    let read = await readDataKeys(this.#store, this.#tenantId);
    if (await makeMissingKeys(this.#store, this.#masterKeys, this.#tenantId, read.rows))
      read = await readDataKeys(this.#store, this.#tenantId);
    if (read.rows.some(({ destroyed }) => destroyed)) this.#letGo();
    else this.#take(read.rows);
    // Those that can't be opened now are tried again when they are needed.
    await Promise.all([...this.#keys.values()].map((key) => key.opened ?? this.#open(key).catch(() => null)));
    this.revision = read.revision;
    this.checkedAt = startedAt;
    this.behind = false;
  }

  /** Of keys that were destroyed, for good: also whoever works with them already opens nothing any more. */
  #letGo(): void {
    this.#destroyed = true;
    this.#keys.clear();
    this.#face = null;
  }

  #take(rows: readonly DataKeyRow[]): void {
    const now = performance.now();
    for (const row of rows) {
      const known = this.#keys.get(row.id);
      if (known) Object.assign(known, { row });
      else
        this.#keys.set(row.id, {
          row,
          currentFrom: now + row.due_in,
          opened: null,
          opening: null,
          failed: null,
          goneAt: null,
        });
    }
    const present = new Set(rows.map(({ id }) => id));
    for (const [id, key] of this.#keys) {
      if (present.has(id)) continue;
      key.goneAt ??= now;
      if (now - key.goneAt > lingerMs) this.#keys.delete(id);
    }
  }

  /** Once for all who want it at a time. */
  async #open(key: DataKey): Promise<KeyObject> {
    if (key.failed && performance.now() - key.failed.at < retryMs) throw key.failed.error;
    key.opening ??= this.#unwrap(key).finally(() => {
      key.opening = null;
    });
    return await key.opening;
  }

  async #unwrap(key: DataKey): Promise<KeyObject> {
    const { id, purpose, master_key_id, wrapped } = key.row;
    try {
      const bytes = await this.#masterKeys.unwrap(master_key_id, wrapped, wrappingBinding(this.#tenantId, id, purpose));
      if (bytes.length !== 32)
        throw new KeyferryError('decryption_failed', 'A data key has another length than 32 bytes.');
      key.opened = createSecretKey(bytes);
      bytes.fill(0);
      key.failed = null;
      return key.opened;
    } catch (error) {
      key.failed = { error, at: performance.now() };
      throw error;
    }
  }
}
