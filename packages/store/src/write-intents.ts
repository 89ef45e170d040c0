import { type Selectable, sql } from 'kysely';
import type { Tx } from './database.ts';
import { remoteHash } from './hash.ts';
import type { Database } from './schema.ts';

/** Writes to a vault that were begun: what a write leaves behind when its process dies. */

export type WriteIntent = Selectable<Database['write_intents']>;

export interface NewIntent {
  id: string;
  tenantId: string;
  backendId: string;
  kind: WriteIntent['kind'];
  remotePath: string;
  localPath: string;
  /** Keyed, of the value; empty for a removal. */
  valueDigest: Buffer;
  /** Whether the secret did not exist before. */
  creates: boolean;
  ownedFor: string | null;
}

/** How long nobody else writes a secret that somebody has begun to write: far longer than a vault is waited for. */
const claimMs = 60_000;

/**
 * Notes that a write begins. `stored` is what stands: this one, or, with `begun` false, one that was there already and was
 * not finished, whoever made it.
 */
export async function beginIntent(
  tx: Tx,
  intent: NewIntent,
  now: Date,
): Promise<{ begun: boolean; stored: WriteIntent }> {
  const made = await tx
    .insertInto('write_intents')
    .values({
      backend_id: intent.backendId,
      remote_hash: remoteHash(intent.remotePath),
      tenant_id: intent.tenantId,
      id: intent.id,
      kind: intent.kind,
      remote_path: intent.remotePath,
      local_path: intent.localPath,
      value_digest: intent.valueDigest,
      creates: intent.creates,
      owned_for: intent.ownedFor,
      claimed_until: new Date(now.getTime() + claimMs),
      created_at: now,
    })
    // Also where nothing is changed the row is locked and shown, though it has come since the statement began.
    .onConflict((conflict) =>
      conflict.columns(['backend_id', 'remote_hash']).doUpdateSet((eb) => ({ id: eb.ref('write_intents.id') })),
    )
    .returningAll()
    .returning(sql<boolean>`xmax = 0`.as('begun'))
    .executeTakeFirstOrThrow();
  const { begun, ...stored } = made;
  return { begun, stored };
}

/** The write to a secret that was begun and is not stored, if there is one. */
export async function findIntent(tx: Tx, backendId: string, remotePath: string): Promise<WriteIntent | undefined> {
  return await tx
    .selectFrom('write_intents')
    .selectAll()
    .where('backend_id', '=', backendId)
    .where('remote_hash', '=', remoteHash(remotePath))
    .forUpdate()
    .executeTakeFirst();
}

/** Takes over a write whose process has left it. */
export async function takeIntent(tx: Tx, { backend_id, remote_hash }: WriteIntent, now: Date): Promise<void> {
  await tx
    .updateTable('write_intents')
    .set({ claimed_until: new Date(now.getTime() + claimMs) })
    .where('backend_id', '=', backend_id)
    .where('remote_hash', '=', remote_hash)
    .execute();
}

/** Lets go of a write of which it is not known whether the vault has made it: whoever comes next finds out. */
export async function leaveIntent(tx: Tx, { backend_id, remote_hash, id }: WriteIntent, now: Date): Promise<void> {
  await tx
    .updateTable('write_intents')
    .set({ claimed_until: now })
    .where('backend_id', '=', backend_id)
    .where('remote_hash', '=', remote_hash)
    .where('id', '=', id)
    .execute();
}

/** Ends a write, if it is still that one. */
export async function endIntent(tx: Tx, { backend_id, remote_hash, id }: WriteIntent): Promise<void> {
  await tx
    .deleteFrom('write_intents')
    .where('backend_id', '=', backend_id)
    .where('remote_hash', '=', remote_hash)
    .where('id', '=', id)
    .execute();
}
