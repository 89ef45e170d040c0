import { KeyferryError, type Policy, type PolicyBinding } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { raiseAccessRevision } from './access-revision.ts';
import { codeOf, type Tx } from './database.ts';
import { columnOf } from './id-or-name.ts';
import type { Database } from './schema.ts';

export type StoredPolicy = Selectable<Database['policies']>;

/** What a person sets, with identities and issuers by their ids. */
export type PolicySettings = Pick<StoredPolicy, 'name' | 'path_glob' | 'permissions' | 'ip_ranges' | 'expires_at'> & {
  bindings: readonly PolicyBinding[];
};

/** Each process keeps all of a tenant's in memory: so many, with so many bytes of bindings and networks. */
const mostPolicies = 20_000;
const mostBytes = 16 * 1024 * 1024;

/** Throws `policy_exists` or `tenant_limit_reached`. */
export async function createPolicy(
  tx: Tx,
  input: { tenantId: string; settings: PolicySettings; by: string; now: Date },
): Promise<StoredPolicy> {
  const { tenantId, by, now } = input;
  const { bindings, ...settings } = input.settings;
  // Its row is what those wait for who make others at the same time.
  await raiseAccessRevision(tx, tenantId);
  const made = await refusingDuplicates(settings.name, () =>
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
  await refuseTooMuch(tx);
  return made;
}

/** Changes what is given, and leaves the rest. Throws `policy_not_found`, `policy_exists` or `tenant_limit_reached`. */
export async function updatePolicy(
  tx: Tx,
  input: { tenantId: string; id: string; settings: Partial<PolicySettings>; now: Date },
): Promise<StoredPolicy> {
  const { tenantId, id, now } = input;
  const { bindings, ...settings } = input.settings;
  await raiseAccessRevision(tx, tenantId);
  const changed = await refusingDuplicates(settings.name ?? '', () =>
    tx
      .updateTable('policies')
      .set({ ...settings, ...(bindings && { bindings: JSON.stringify(bindings) }), updated_at: now })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst(),
  );
  if (!changed) throw unknownPolicy(id);
  if (bindings || settings.ip_ranges) await refuseTooMuch(tx);
  return changed;
}

/** Throws `policy_not_found`. */
export async function removePolicy(tx: Tx, tenantId: string, idOrName: string): Promise<StoredPolicy> {
  await raiseAccessRevision(tx, tenantId);
  const removed = await tx
    .deleteFrom('policies')
    .where(columnOf(idOrName), '=', idOrName)
    .returningAll()
    .executeTakeFirst();
  if (!removed) throw unknownPolicy(idOrName);
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
export async function getPolicy(tx: Tx, idOrName: string): Promise<StoredPolicy> {
  const row = await tx.selectFrom('policies').selectAll().where(columnOf(idOrName), '=', idOrName).executeTakeFirst();
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

/** What others make at the same time waits: whoever writes policies has raised the revision. */
async function refuseTooMuch(tx: Tx): Promise<void> {
  const { count, bytes } = await tx
    .selectFrom('policies')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .select(
      sql<number>`coalesce(sum(octet_length(bindings::text) + octet_length(ip_ranges::text)), 0)::bigint`.as('bytes'),
    )
    .executeTakeFirstOrThrow();
  if (count > mostPolicies)
    throw new KeyferryError('tenant_limit_reached', `There are ${mostPolicies} policies, and no more can be made.`);
  if (bytes > mostBytes)
    throw new KeyferryError(
      'tenant_limit_reached',
      'The bindings and networks of all policies are more than 16 MiB: bind fewer claims, or the identities that they are.',
    );
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
