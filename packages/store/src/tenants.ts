import { randomUUID } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import { type Selectable, type SelectQueryBuilder, sql } from 'kysely';
import { raiseAccessRevision } from './access-revision.ts';
import { asTenant } from './as-tenant.ts';
import { audit } from './audit/audit.ts';
import { codeOf, defaultTenantId, type Store, type Tx } from './database.ts';
import { columnOf, isId } from './id-or-name.ts';
import type { Database } from './schema.ts';
import { keysOfTenant } from './tenant-standing.ts';

/** Tenants, as operators manage them. All of these want a transaction of `asOperator`. */

export type Tenant = Selectable<Database['tenants']>;

/** Null: as many as there are. */
export interface TenantLimits {
  max_backends: number | null;
  max_keys: number | null;
  /** Of cycles that are open at a time because they were due. */
  max_open_cycles: number | null;
}

export interface TenantCounts {
  backends: number;
  keys: number;
  open_cycles: number;
}

/** Who changes a tenant, as the audit logs name them. */
export interface ByOperator {
  by: string;
  now: Date;
}

/** Its keys are made when they are first needed. Throws `tenant_exists`. */
export async function createTenant(
  tx: Tx,
  input: { name: string; limits: TenantLimits } & ByOperator,
): Promise<Tenant> {
  const tenant = await refusingDuplicates(input.name, () =>
    tx
      .insertInto('tenants')
      .values({
        id: randomUUID(),
        name: input.name,
        ...input.limits,
        state_changed_at: input.now,
        created_at: input.now,
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
  await noteTenant(tx, tenant, { action: 'tenant.created', details: { ...input.limits }, ...input });
  return tenant;
}

/** By name; the deleted ones too where they are asked for, whose names others may have by now. */
export async function listTenants(
  tx: Tx,
  filter: { state?: Tenant['state']; limit: number; after?: { name: string; id: string } },
): Promise<Tenant[]> {
  let query = tx.selectFrom('tenants').selectAll().orderBy('name').orderBy('id').limit(filter.limit);
  query = filter.state ? query.where('state', '=', filter.state) : query.where('state', '<>', 'deleted');
  if (filter.after) query = query.where(sql<boolean>`(name, id) > (${filter.after.name}, ${filter.after.id}::uuid)`);
  return await query.execute();
}

/** By id, also one that is deleted, or by name; with `lock`, nobody else changes it meanwhile. Throws `tenant_not_found`. */
export async function getTenant(tx: Tx, idOrName: string, { lock = false } = {}): Promise<Tenant> {
  const query = byIdOrName(tx.selectFrom('tenants').selectAll(), idOrName);
  const tenant = await (lock ? query.forNoKeyUpdate() : query).executeTakeFirst();
  if (!tenant) throw unknownTenant(idOrName);
  return tenant;
}

/** Whether or not there is such a tenant, and whoever asks. */
export const unknownTenant = (idOrName: string): KeyferryError =>
  new KeyferryError('tenant_not_found', `There is no tenant "${idOrName}".`);

/** What a tenant has, seen as the tenant. */
export async function countsOfTenant(tx: Tx, tenantId: string): Promise<TenantCounts> {
  return await asTenant(tx, tenantId, async () => {
    const { rows } = await sql<Omit<TenantCounts, 'keys'>>`
      SELECT (SELECT count(*) FROM backends WHERE state <> 'removed') AS backends,
        (SELECT count(*) FROM cycles WHERE state = 'open') AS open_cycles`.execute(tx);
    const { backends, open_cycles } = rows[0] as Omit<TenantCounts, 'keys'>;
    return { backends, keys: await keysOfTenant(tx), open_cycles };
  });
}

/**
 * Changes name and limits, whatever is given. What a tenant has beyond a limit stays; it gets no more of it. Throws
 * `tenant_not_found`, `tenant_exists`, or `tenant_outdated` for one that is deleted.
 */
export async function updateTenant(
  tx: Tx,
  idOrName: string,
  { changes, ...by }: { changes: Partial<TenantLimits & { name: string }> } & ByOperator,
): Promise<Tenant> {
  const before = await getTenant(tx, idOrName, { lock: true });
  if (before.state === 'deleted') throw outdated(before, 'changed');
  const changed = await refusingDuplicates(changes.name ?? '', () =>
    tx.updateTable('tenants').set(changes).where('id', '=', before.id).returningAll().executeTakeFirstOrThrow(),
  );
  const was = Object.fromEntries(Object.keys(changes).map((name) => [name, before[name as keyof Tenant]]));
  await noteTenant(tx, changed, { action: 'tenant.updated', details: { before: was, after: changes }, ...by });
  return changed;
}

/**
 * Lets a tenant rest: none of its requests is answered and nothing is done for it, until it is resumed. Throws
 * `tenant_not_found`, `tenant_protected`, or `tenant_outdated` for one that is not active.
 */
export async function suspendTenant(tx: Tx, idOrName: string, by: ByOperator): Promise<Tenant> {
  const tenant = await lockChangeable(tx, idOrName);
  if (tenant.state !== 'active') throw outdated(tenant, 'suspended');
  return await moveTenant(tx, tenant, 'suspended', { action: 'tenant.suspended', ...by });
}

/**
 * Lets a suspended tenant go on where it was: what waited to be sent has as much time as it had then. Throws
 * `tenant_not_found`, or `tenant_outdated` for one that is not suspended.
 */
export async function resumeTenant(tx: Tx, idOrName: string, by: ByOperator): Promise<Tenant> {
  const tenant = await getTenant(tx, idOrName, { lock: true });
  if (tenant.state !== 'suspended') throw outdated(tenant, 'resumed');
  const restedMs = Math.max(0, by.now.getTime() - tenant.state_changed_at.getTime());
  await asTenant(tx, tenant.id, () =>
    sql`UPDATE notices SET give_up_at = give_up_at + make_interval(secs => ${restedMs / 1000})
      WHERE state = 'pending'`.execute(tx),
  );
  return await moveTenant(tx, tenant, 'active', { action: 'tenant.resumed', ...by });
}

/** Throws `tenant_protected` for the tenant that operators are of. */
export async function lockChangeable(tx: Tx, idOrName: string): Promise<Tenant> {
  const tenant = await getTenant(tx, idOrName, { lock: true });
  if (tenant.id === defaultTenantId)
    throw new KeyferryError(
      'tenant_protected',
      `Operators are of the tenant "${tenant.name}", so that it is neither suspended nor deleted.`,
    );
  return tenant;
}

/** Puts a locked tenant into another state, and tells every process and both audit logs. */
export async function moveTenant(
  tx: Tx,
  tenant: Tenant,
  state: Tenant['state'],
  note: { action: string; details?: Record<string, unknown> } & ByOperator,
): Promise<Tenant> {
  const deletion_requested_by = state === 'deleting' || state === 'deleted' ? tenant.deletion_requested_by : null;
  const moved = await tx
    .updateTable('tenants')
    .set({ state, state_changed_at: note.now, deletion_requested_by })
    .where('id', '=', tenant.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await noteTenant(tx, moved, note);
  return moved;
}

/** An operator's deed is in the log of the operators' tenant, and in that of the tenant, where no name of its own looks so. */
async function noteTenant(
  tx: Tx,
  { id, name }: Pick<Tenant, 'id' | 'name'>,
  { action, by, details, now }: { action: string; details?: Record<string, unknown> } & ByOperator,
): Promise<void> {
  const entry = { action, target: name, details: { tenant_id: id, ...details } };
  await asTenant(tx, defaultTenantId, () => audit(tx, defaultTenantId, { actor: by, ...entry }, now));
  await asTenant(tx, id, async () => {
    if (id !== defaultTenantId) await audit(tx, id, { actor: operatorsName(by), ...entry }, now);
    await raiseAccessRevision(tx, id);
  });
}

/** How an operator is named where other tenants have names of their own, none of which has a colon. */
export const operatorsName = (actor: string): string => `${operatorsMark}${actor}`;

/** The operator's own name again, whichever tenant they have named meanwhile. */
export const ownNameOfOperator = (name: string): string =>
  name.startsWith(operatorsMark) ? name.slice(operatorsMark.length) : name;

const operatorsMark = 'operator:';

export function outdated({ name, state }: Pick<Tenant, 'name' | 'state'>, wanted: string): KeyferryError {
  return new KeyferryError('tenant_outdated', `The tenant "${name}" is ${state}, so that it can't be ${wanted}.`, {
    details: { state },
  });
}

/** The tenant that an operator means by an id, also one that is deleted, or by a name; undefined where there is none. */
export async function findTenant(
  store: Store,
  idOrName: string,
): Promise<Pick<Tenant, 'id' | 'name' | 'state'> | undefined> {
  return await store.asOperator((tx) =>
    byIdOrName(tx.selectFrom('tenants').select(['id', 'name', 'state']), idOrName).executeTakeFirst(),
  );
}

function byIdOrName<Row>(
  query: SelectQueryBuilder<Database, 'tenants', Row>,
  idOrName: string,
): SelectQueryBuilder<Database, 'tenants', Row> {
  const named = query.where(columnOf(idOrName), '=', idOrName);
  return isId(idOrName) ? named : named.where('state', '<>', 'deleted');
}

async function refusingDuplicates<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (codeOf(error) === '23505')
      throw new KeyferryError('tenant_exists', `There is a tenant named "${name}" already.`);
    throw error;
  }
}
