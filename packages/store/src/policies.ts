import { KeyferryError, type Policy, type PolicyBinding } from '@keyferry/core';
import type { Selectable } from 'kysely';
import { raiseAccessRevision } from './access-revision.ts';
import { codeOf, type Tx } from './database.ts';
import { columnOf } from './id-or-name.ts';
import type { Database } from './schema.ts';

export type StoredPolicy = Selectable<Database['policies']>;

/** What a person sets, with identities and issuers by their ids. */
export type PolicySettings = Pick<StoredPolicy, 'name' | 'path_glob' | 'permissions' | 'ip_ranges' | 'expires_at'> & {
  bindings: readonly PolicyBinding[];
};

/** Each process keeps all of a tenant's in memory. */
const mostPolicies = 20_000;

/** Throws `policy_exists` or `tenant_limit_reached`. */
export async function createPolicy(
  tx: Tx,
  input: { tenantId: string; settings: PolicySettings; by: string; now: Date },
): Promise<StoredPolicy> {
  const { tenantId, by, now } = input;
  const { bindings, ...settings } = input.settings;
  // Its row is what those wait for who make others at the same time.
  await raiseAccessRevision(tx, tenantId);
  const { count } = await tx
    .selectFrom('policies')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  if (count >= mostPolicies)
    throw new KeyferryError('tenant_limit_reached', `There are ${mostPolicies} policies, and no more can be made.`);
  return await refusingDuplicates(settings.name, () =>
    tx
      .insertInto('policies')
      .values({
        ...settings,
        bindings: JSON.stringify(bindings),
        tenant_id: tenantId,
        created_by: by,
        created_at: now,
        updated_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** Changes what is given, and leaves the rest. The row is the caller's. Throws `policy_exists`. */
export async function updatePolicy(
  tx: Tx,
  input: { tenantId: string; id: string; settings: Partial<PolicySettings>; now: Date },
): Promise<StoredPolicy> {
  const { tenantId, id, now } = input;
  const { bindings, ...settings } = input.settings;
  const changed = await refusingDuplicates(settings.name ?? '', () =>
    tx
      .updateTable('policies')
      .set({ ...settings, ...(bindings && { bindings: JSON.stringify(bindings) }), updated_at: now })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst(),
  );
  if (!changed) throw unknownPolicy(id);
  await raiseAccessRevision(tx, tenantId);
  return changed;
}

/** Throws `policy_not_found`. */
export async function removePolicy(tx: Tx, tenantId: string, idOrName: string): Promise<StoredPolicy> {
  const removed = await tx
    .deleteFrom('policies')
    .where(columnOf(idOrName), '=', idOrName)
    .returningAll()
    .executeTakeFirst();
  if (!removed) throw unknownPolicy(idOrName);
  await raiseAccessRevision(tx, tenantId);
  return removed;
}

/** In the order of their names, after one if it is given. */
export async function listPolicies(
  tx: Tx,
  { after, limit }: { after: string | null; limit: number },
): Promise<StoredPolicy[]> {
  const query = tx.selectFrom('policies').selectAll().orderBy('name').limit(limit);
  return await (after === null ? query : query.where('name', '>', after)).execute();
}

/** By id or by name. Throws `policy_not_found`. */
export async function getPolicy(tx: Tx, idOrName: string, options: { lock?: boolean } = {}): Promise<StoredPolicy> {
  const query = tx.selectFrom('policies').selectAll().where(columnOf(idOrName), '=', idOrName);
  const row = await (options.lock ? query.forUpdate() : query).executeTakeFirst();
  if (!row) throw unknownPolicy(idOrName);
  return row;
}

/** All of the tenant's, as they are decided by. */
export async function readPolicies(tx: Tx): Promise<Policy[]> {
  const rows = await tx
    .selectFrom('policies')
    .select(['id', 'name', 'path_glob', 'permissions', 'ip_ranges', 'expires_at', 'bindings'])
    .orderBy('name')
    .execute();
  return rows.map(({ path_glob: pathGlob, ip_ranges: ipRanges, expires_at: expiresAt, ...same }) => ({
    ...same,
    pathGlob,
    ipRanges,
    expiresAt,
  }));
}

const unknownPolicy = (idOrName: string) => new KeyferryError('policy_not_found', `There is no policy "${idOrName}".`);

async function refusingDuplicates<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (codeOf(error) === '23505')
      throw new KeyferryError('policy_exists', `There is a policy named "${name}" already.`);
    throw error;
  }
}
