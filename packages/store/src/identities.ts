import { KeyferryError } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { raiseAccessRevision } from './access-revision.ts';
import type { IdentitiesTable } from './access-tables.ts';
import { codeOf, type Tx } from './database.ts';
import { columnOf } from './id-or-name.ts';

/** Whoever asks, as a tenant knows them. */
export type IdentityRow = Selectable<IdentitiesTable>;

export type IdentitySettings = Pick<IdentityRow, 'name' | 'description' | 'operator' | 'scopes'>;
/** What a person changes. */
export type IdentityChange = Partial<Pick<IdentityRow, 'description' | 'scopes'>> & { state?: 'active' | 'disabled' };

const mostIdentities = 2_000;

/** Throws `identity_exists` or `limit_reached`. */
export async function createIdentity(
  tx: Tx,
  input: { tenantId: string; settings: IdentitySettings; by: string; now: Date },
): Promise<IdentityRow> {
  const { tenantId, settings, by, now } = input;
  // First, so that changes of one tenant wait for each other: what is counted here stays so.
  await raiseAccessRevision(tx, tenantId);
  const { count } = await tx
    .selectFrom('identities')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '!=', 'removed')
    .executeTakeFirstOrThrow();
  if (count >= mostIdentities)
    throw new KeyferryError('limit_reached', `There are ${mostIdentities} identities, and no more can be made.`);
  try {
    return await tx
      .insertInto('identities')
      .values({ ...settings, tenant_id: tenantId, created_by: by, created_at: now, updated_at: now })
      .returningAll()
      .executeTakeFirstOrThrow();
  } catch (error) {
    if (codeOf(error) === '23505')
      throw new KeyferryError('identity_exists', `There is an identity named "${settings.name}" already.`);
    throw error;
  }
}

/** Those that are not removed, by name, from after one on. */
export async function listIdentities(tx: Tx, page: { limit: number; after?: string }): Promise<IdentityRow[]> {
  let query = tx.selectFrom('identities').selectAll().where('state', '!=', 'removed').orderBy('name').limit(page.limit);
  if (page.after !== undefined) query = query.where('name', '>', page.after);
  return await query.execute();
}

/** By id or by name. Throws `identity_not_found`, also where it was removed. */
export async function getIdentity(tx: Tx, idOrName: string): Promise<IdentityRow> {
  const row = await tx
    .selectFrom('identities')
    .selectAll()
    .where(columnOf(idOrName), '=', idOrName)
    .where('state', '!=', 'removed')
    .executeTakeFirst();
  if (!row) throw new KeyferryError('identity_not_found', `There is no identity "${idOrName}".`);
  return row;
}

/** Of these ids, those that are not removed. */
export async function identitiesById(tx: Tx, ids: readonly string[]): Promise<IdentityRow[]> {
  if (ids.length === 0) return [];
  return await tx
    .selectFrom('identities')
    .selectAll()
    .where('id', 'in', [...ids])
    .where('state', '!=', 'removed')
    .execute();
}

/** Changes what is given, and leaves the rest. Throws `identity_not_found`. */
export async function updateIdentity(
  tx: Tx,
  input: { tenantId: string; id: string; change: IdentityChange; now: Date },
): Promise<IdentityRow> {
  const { tenantId, id, change, now } = input;
  await raiseAccessRevision(tx, tenantId);
  const row = await tx
    .updateTable('identities')
    .set({ ...change, updated_at: now })
    .where('id', '=', id)
    .where('state', '!=', 'removed')
    .returningAll()
    .executeTakeFirst();
  if (!row) throw new KeyferryError('identity_not_found', `There is no identity "${id}".`);
  return row;
}

/**
 * Removes an identity: its tokens are revoked, and no policy and no issuer means it any more. It stays known to the audit
 * log. Returns how many tokens were revoked. Throws `identity_not_found`.
 */
export async function removeIdentity(tx: Tx, tenantId: string, id: string, now: Date): Promise<number> {
  await raiseAccessRevision(tx, tenantId);
  const removed = await tx
    .updateTable('identities')
    .set({ state: 'removed', updated_at: now })
    .where('id', '=', id)
    .where('state', '!=', 'removed')
    .returning('id')
    .executeTakeFirst();
  if (!removed) throw new KeyferryError('identity_not_found', `There is no identity "${id}".`);
  const revoked = await tx
    .updateTable('tokens')
    .set({ revoked_at: now })
    .where('identity_id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  await dropMembers(tx, { table: 'policies', column: 'bindings', member: 'identity_id', id, now });
  await dropMembers(tx, { table: 'token_issuers', column: 'mappings', member: 'identity_id', id, now });
  return Number(revoked.numUpdatedRows);
}

/** Takes out of lists of objects those that name something which is gone. */
export async function dropMembers(
  tx: Tx,
  what: {
    table: 'policies' | 'token_issuers';
    column: 'bindings' | 'mappings';
    member: 'identity_id' | 'issuer_id';
    id: string;
    now: Date;
  },
): Promise<void> {
  const { table, column, member, id, now } = what;
  const list = sql.ref(column);
  await sql`
    UPDATE ${sql.table(table)} SET updated_at = ${now}, ${list} = (
      SELECT coalesce(jsonb_agg(item ORDER BY place), '[]')
      FROM jsonb_array_elements(${list}) WITH ORDINALITY AS items (item, place)
      WHERE item ->> ${member}::text IS DISTINCT FROM ${id}::text)
    WHERE ${list} @> ${JSON.stringify([{ [member]: id }])}::jsonb`.execute(tx);
}
