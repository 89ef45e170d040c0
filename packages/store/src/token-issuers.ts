import { KeyferryError } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { raiseAccessRevision } from './access-revision.ts';
import type { TokenIssuersTable } from './access-tables.ts';
import { codeOf, type Store, type Tx } from './database.ts';
import { columnOf } from './id-or-name.ts';
import { dropMembers } from './identities.ts';

/** Whose signed tokens a tenant takes. */
export type TokenIssuer = Selectable<TokenIssuersTable>;

export type IssuerSettings = Omit<TokenIssuer, 'id' | 'tenant_id' | 'created_by' | 'created_at' | 'updated_at'>;

const mostIssuers = 50;

/** Throws `issuer_exists` or `limit_reached`. */
export async function createIssuer(
  tx: Tx,
  input: { tenantId: string; settings: IssuerSettings; by: string; now: Date },
): Promise<TokenIssuer> {
  const { tenantId, by, now } = input;
  const { jwks, mappings, ...settings } = input.settings;
  await raiseAccessRevision(tx, tenantId);
  const { count } = await tx
    .selectFrom('token_issuers')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  if (count >= mostIssuers)
    throw new KeyferryError('limit_reached', `There are ${mostIssuers} issuers, and no more can be made.`);
  return await refusingDuplicates(settings.name, () =>
    tx
      .insertInto('token_issuers')
      .values({
        ...settings,
        jwks: jwks && JSON.stringify(jwks),
        mappings: JSON.stringify(mappings),
        tenant_id: tenantId,
        created_by: by,
        created_at: now,
        updated_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

/** Changes what is given, and leaves the rest. Throws `issuer_exists` or `issuer_not_found`. */
export async function updateIssuer(
  tx: Tx,
  input: { tenantId: string; id: string; settings: Partial<IssuerSettings>; now: Date },
): Promise<TokenIssuer> {
  const { tenantId, id, now } = input;
  const { jwks, mappings, ...settings } = input.settings;
  await raiseAccessRevision(tx, tenantId);
  const row = await refusingDuplicates(settings.name ?? '', () =>
    tx
      .updateTable('token_issuers')
      .set({
        ...settings,
        ...(jwks !== undefined && { jwks: jwks && JSON.stringify(jwks) }),
        ...(mappings && { mappings: JSON.stringify(mappings) }),
        updated_at: now,
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst(),
  );
  if (!row) throw unknownIssuer(id);
  return row;
}

export async function listIssuers(tx: Tx): Promise<TokenIssuer[]> {
  return await tx.selectFrom('token_issuers').selectAll().orderBy('name').execute();
}

/** By id or by name. Throws `issuer_not_found`. */
export async function getIssuer(tx: Tx, idOrName: string): Promise<TokenIssuer> {
  const row = await tx
    .selectFrom('token_issuers')
    .selectAll()
    .where(columnOf(idOrName), '=', idOrName)
    .executeTakeFirst();
  if (!row) throw unknownIssuer(idOrName);
  return row;
}

/** Removes an issuer; no policy means it any more. Throws `issuer_not_found`. */
export async function removeIssuer(tx: Tx, tenantId: string, idOrName: string, now: Date): Promise<TokenIssuer> {
  await raiseAccessRevision(tx, tenantId);
  const issuer = await getIssuer(tx, idOrName);
  await tx.deleteFrom('token_issuers').where('id', '=', issuer.id).execute();
  await dropMembers(tx, { table: 'policies', column: 'bindings', member: 'issuer_id', id: issuer.id, now });
  return issuer;
}

/** Which tenants take tokens of an issuer for one of these audiences; one alone where it is named, by id or name. */
export async function issuersNamed(
  store: Store,
  token: { issuer: string; audiences: readonly string[]; tenant: string | null },
): Promise<{ tenantId: string; issuerId: string }[]> {
  const { rows } = await sql<{ tenant_id: string; issuer_id: string }>`
    SELECT * FROM keyferry.issuers_named(${token.issuer}, ${token.audiences}::text[], ${token.tenant})`.execute(
    store.global,
  );
  return rows.map((row) => ({ tenantId: row.tenant_id, issuerId: row.issuer_id }));
}

function unknownIssuer(idOrName: string): KeyferryError {
  return new KeyferryError('issuer_not_found', `There is no issuer "${idOrName}".`);
}

async function refusingDuplicates<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (codeOf(error) === '23505')
      throw new KeyferryError('issuer_exists', `There is an issuer named "${name}" already.`);
    throw error;
  }
}
