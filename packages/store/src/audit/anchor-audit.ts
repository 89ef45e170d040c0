import { sql } from 'kysely';
import type { Store, Tx } from '../database.ts';
import { appendTenantEvents } from '../outbox.ts';
import { tenantStanding } from '../tenant-standing.ts';
import type { Anchor } from './walk-chain.ts';

/** A tenant's chain is anchored at most so often, in milliseconds. */
const anchorEveryMs = 3_600_000;

/** Tenants whose chain has gone on since it was anchored, if that is long enough ago. */
export async function tenantsToAnchor(store: Store, now: Date): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT keyferry.tenants_with_audit_to_anchor(${new Date(now.getTime() - anchorEveryMs)}) AS id`.execute(
    store.global,
  );
  return rows.map((row) => row.id);
}

/**
 * The head of the chain, if there is a new one since the last anchor and that is an hour old: told as an event, and handed to
 * `keep` before it is committed. Null where there is nothing to anchor, or somebody else does it.
 */
export async function anchorAudit(
  tx: Tx,
  tenantId: string,
  now: Date,
  keep: (anchor: Anchor) => Promise<void>,
): Promise<Anchor | null> {
  const chain = await tx
    .selectFrom('audit_chains')
    .select(['head_number', 'head_hash'])
    .where(sql<boolean>`head_number > anchored_number`)
    .where((eb) =>
      eb.or([eb('anchored_at', 'is', null), eb('anchored_at', '<=', new Date(now.getTime() - anchorEveryMs))]),
    )
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (!chain) return null;
  const anchor = { number: chain.head_number, hash: chain.head_hash.toString('hex') };
  await tx.updateTable('audit_chains').set({ anchored_number: anchor.number, anchored_at: now }).execute();
  // Of one that is deleted nobody is told any more, and no row is left.
  if ((await tenantStanding(tx)).state !== 'deleted')
    await appendTenantEvents(tx, tenantId, [{ type: 'audit.anchored', data: { ...anchor } }], now);
  await keep(anchor);
  return anchor;
}
