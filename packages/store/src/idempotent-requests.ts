import { type Selectable, sql } from 'kysely';
import type { Tx } from './database.ts';
import type { Database } from './schema.ts';

/** Requests with an Idempotency-Key, and what was answered. Never a value. */

export type IdempotentRequest = Selectable<Database['idempotent_requests']>;

/** Who asked, and under which key, hashed. */
export interface RequestName {
  tenantId: string;
  actor: string;
  keyHash: Buffer;
}

/** How long another request under the same key waits for the first: as long as that one may take, and more. */
const claimMs = 60_000;

/** Notes that a request is at work. `begun` is false where there is one under its key already. */
export async function beginRequest(
  tx: Tx,
  { tenantId, actor, keyHash }: RequestName,
  requestDigest: Buffer,
  now: Date,
): Promise<{ begun: boolean; stored: IdempotentRequest }> {
  const inserted = await tx
    .insertInto('idempotent_requests')
    .values({
      tenant_id: tenantId,
      actor,
      key_hash: keyHash,
      request_digest: requestDigest,
      answer: JSON.stringify(null),
      claimed_until: new Date(now.getTime() + claimMs),
      created_at: now,
    })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'actor', 'key_hash']).doUpdateSet((eb) => ({
        actor: eb.ref('idempotent_requests.actor'),
      })),
    )
    .returningAll()
    .returning(sql<boolean>`xmax = 0`.as('begun'))
    .executeTakeFirstOrThrow();
  const { begun, ...stored } = inserted;
  return { begun, stored };
}

const named = ({ tenantId, actor, keyHash }: RequestName) =>
  sql<boolean>`tenant_id = ${tenantId} AND actor = ${actor} AND key_hash = ${keyHash}`;

/** Takes over a request whose process has left it. */
export async function takeRequest(tx: Tx, name: RequestName, now: Date): Promise<void> {
  await tx
    .updateTable('idempotent_requests')
    .set({ claimed_until: new Date(now.getTime() + claimMs) })
    .where(named(name))
    .execute();
}

/** Notes what is answered, in the transaction that does what was asked. */
export async function answerRequest(
  tx: Tx,
  name: RequestName,
  { status, answer }: { status: number; answer: object },
): Promise<void> {
  await tx
    .updateTable('idempotent_requests')
    .set({ status, answer: JSON.stringify(answer) })
    .where(named(name))
    .execute();
}

/** Lets another request under the same key begin: anew, or, if it is not known whether this one did something, where it was. */
export async function leaveRequest(tx: Tx, name: RequestName, { unknown, now }: { unknown: boolean; now: Date }) {
  if (unknown) await tx.updateTable('idempotent_requests').set({ claimed_until: now }).where(named(name)).execute();
  else await tx.deleteFrom('idempotent_requests').where(named(name)).where('status', 'is', null).execute();
}

/** Drops what was asked before. */
export async function pruneRequests(tx: Tx, before: Date): Promise<void> {
  await tx.deleteFrom('idempotent_requests').where('created_at', '<', before).execute();
}
