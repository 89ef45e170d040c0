import { KeyferryError } from '@keyferry/core';
import type { Store } from '../database.ts';
import type { Keyring } from './keyring.ts';
import {
  lockSealed,
  replaceSealed,
  type SealedColumn,
  type SealedPlace,
  sealedColumns,
  sealedPlaces,
} from './sealed-columns.ts';

/** So many places are looked up at a time: some megabytes. */
const chunk = 20_000;
/** What one transaction seals anew: rows that are locked for some hundredths of a second. */
const batchRows = 500;
const batchBytes = 8 * 1024 * 1024;
/** One batch is being sealed here while Postgres writes another. */
const lanes = 2;
/** Before rows that somebody else held are tried again. */
const heldMs = 50;

export interface Resealed {
  done: number;
  /** Ciphertexts that don't open: they stay as they are, and keep their data key from being destroyed. */
  failed: number;
}

/**
 * Seals what these retired data keys of a tenant have sealed anew under the current one, in batches, each a transaction. Rows
 * are locked as they are read, so that a write of the same moment comes before or after, and is never lost; those that others
 * hold are left for later. What was done stays done. Yields after each batch.
 */
export async function* reseal(
  { store, keyring }: { store: Store; keyring: Keyring },
  tenantId: string,
  keyIds: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Resealed> {
  for (const column of sealedColumns) {
    const broken = new Set<string>();
    for (;;) {
      signal.throwIfAborted();
      const limit = chunk + broken.size;
      const found = await store.inTenant(tenantId, (tx) => sealedPlaces(tx, column, keyIds, limit));
      const places = found.filter(({ place }) => !broken.has(place));
      if (places.length === 0) break;
      const batches = batchesOf(places);
      let moved = 0;
      while (batches.length > 0) {
        signal.throwIfAborted();
        const running = batches
          .splice(0, lanes)
          .map((batch) => sealAnew({ store, keyring }, tenantId, column, keyIds, batch));
        for (const { done, broken: more } of await Promise.all(running)) {
          for (const place of more) broken.add(place);
          moved += done + more.length;
          yield { done, failed: more.length };
        }
      }
      if (moved === 0) await pause(heldMs);
    }
  }
}

function batchesOf(places: readonly SealedPlace[]): string[][] {
  const batches: string[][] = [];
  let batch: string[] = [];
  let bytes = 0;
  for (const one of places) {
    if (batch.length === batchRows || (batch.length > 0 && bytes + one.bytes > batchBytes)) {
      batches.push(batch);
      [batch, bytes] = [[], 0];
    }
    batch.push(one.place);
    bytes += one.bytes;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

async function sealAnew(
  { store, keyring }: { store: Store; keyring: Keyring },
  tenantId: string,
  column: SealedColumn,
  keyIds: readonly string[],
  places: readonly string[],
): Promise<{ done: number; broken: string[] }> {
  const keys = await keyring.ofTenant(tenantId);
  // Retired a moment ago, and this process doesn't know yet.
  if (keyIds.includes(keys.encryptionKeyId)) return { done: 0, broken: [] };
  return await store.inTenant(tenantId, async (tx) => {
    const changed: { place: string; ciphertext: Buffer }[] = [];
    const broken: string[] = [];
    for (const row of await lockSealed(tx, column, keyIds, places)) {
      const binding = column.binding(tenantId, row);
      try {
        const plaintext = await keys.unseal(row, binding);
        changed.push({ place: row.place, ciphertext: keys.seal(plaintext, binding).ciphertext });
        plaintext.fill(0);
      } catch (error) {
        if (!(error instanceof KeyferryError) || error.code !== 'decryption_failed') throw error;
        broken.push(row.place);
      }
    }
    if (changed.length > 0) await replaceSealed(tx, column, keys.encryptionKeyId, changed);
    return { done: changed.length, broken };
  });
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
