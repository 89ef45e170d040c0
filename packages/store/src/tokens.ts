import { hash, randomBytes } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { raiseAccessRevision } from './access-revision.ts';
import type { TokensTable } from './access-tables.ts';
import type { Store, Tx } from './database.ts';
import { columnOf } from './id-or-name.ts';

/** What is known of a bearer token, which is not the token itself. */
export type TokenRow = Omit<Selectable<TokensTable>, 'digest'>;

const mostTokens = 100;
/** A token that is used is noted at most once in so long. */
export const tokenUseIntervalMs = 60_000;

const shown = [
  'id',
  'tenant_id',
  'identity_id',
  'name',
  'shown',
  'created_by',
  'created_at',
  'expires_at',
  'revoked_at',
  'last_used_at',
] as const;

/** What our tokens look like: anything else is none of them. */
const tokenPattern = /^kf_[A-Za-z0-9_-]{43}$/;
/** As many characters as tell tokens apart: of 32 random bytes, three are no help to guess the rest. */
const shownLength = 8;

/** The SHA-256 of what may be one of our tokens; null for what isn't. */
export const digestOfToken = (text: string): Buffer | null =>
  tokenPattern.test(text) ? hash('sha256', text, 'buffer') : null;

/** Makes a token, which is nowhere but in what this returns. Throws `limit_reached`. */
export async function createToken(
  tx: Tx,
  input: { tenantId: string; identityId: string; name: string; expiresAt: Date | null; by: string; now: Date },
): Promise<{ row: TokenRow; token: string }> {
  const { tenantId, identityId, name, expiresAt, by, now } = input;
  await raiseAccessRevision(tx, tenantId);
  const { count } = await tx
    .selectFrom('tokens')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('identity_id', '=', identityId)
    .where('revoked_at', 'is', null)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .executeTakeFirstOrThrow();
  if (count >= mostTokens)
    throw new KeyferryError('limit_reached', `The identity has ${mostTokens} tokens, and no more can be made.`);
  const token = `kf_${randomBytes(32).toString('base64url')}`;
  const row = await tx
    .insertInto('tokens')
    .values({
      tenant_id: tenantId,
      identity_id: identityId,
      name,
      digest: hash('sha256', token, 'buffer'),
      shown: token.slice(0, shownLength),
      created_by: by,
      created_at: now,
      expires_at: expiresAt,
    })
    .returning(shown)
    .executeTakeFirstOrThrow();
  return { row, token };
}

/** An identity's tokens, the newest first, also those that were revoked or have expired. */
export async function listTokens(
  tx: Tx,
  identityId: string,
  page: { limit: number; after?: { createdAt: Date; id: string } },
): Promise<TokenRow[]> {
  let query = tx
    .selectFrom('tokens')
    .select(shown)
    .where('identity_id', '=', identityId)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit);
  if (page.after) {
    const { createdAt, id } = page.after;
    query = query.where(sql<boolean>`(created_at, id) < (${createdAt}, ${id}::uuid)`);
  }
  return await query.execute();
}

/**
 * Revokes one of an identity's tokens, by its id, or by its name where one alone that isn't revoked has it. Throws
 * `token_not_found`.
 */
export async function revokeToken(
  tx: Tx,
  input: { tenantId: string; identityId: string; idOrName: string; now: Date },
): Promise<TokenRow> {
  const { tenantId, identityId, idOrName, now } = input;
  await raiseAccessRevision(tx, tenantId);
  const found = await tx
    .selectFrom('tokens')
    .select('id')
    .where('identity_id', '=', identityId)
    .where('revoked_at', 'is', null)
    .where(columnOf(idOrName), '=', idOrName)
    .limit(2)
    .execute();
  const [only] = found;
  if (!only || found.length > 1)
    throw new KeyferryError(
      'token_not_found',
      only
        ? `Several tokens of the identity are named "${idOrName}": name one by its id.`
        : `The identity has no token "${idOrName}" that could be revoked.`,
    );
  return await tx
    .updateTable('tokens')
    .set({ revoked_at: now })
    .where('id', '=', only.id)
    .returning(shown)
    .executeTakeFirstOrThrow();
}

/** Whose a token is, by its digest; null for nobody's. */
export async function tokenOwner(store: Store, digest: Buffer): Promise<{ tenantId: string; tokenId: string } | null> {
  const { rows } = await sql<{ tenant_id: string; token_id: string }>`
    SELECT * FROM keyferry.token_owner(${digest})`.execute(store.global);
  return rows[0] ? { tenantId: rows[0].tenant_id, tokenId: rows[0].token_id } : null;
}

/** A token by its id, and the revision of who may do what of which it is; null where there is none. */
export async function findToken(tx: Tx, id: string): Promise<(TokenRow & { revision: number }) | null> {
  const row = await tx
    .selectFrom('tokens')
    .leftJoin('access_revisions', 'access_revisions.tenant_id', 'tokens.tenant_id')
    .select(shown.map((column) => `tokens.${column}` as const))
    .select('access_revisions.revision')
    .where('tokens.id', '=', id)
    .executeTakeFirst();
  return row ? { ...row, revision: row.revision ?? 0 } : null;
}

/** Notes when tokens were used, of those for which nothing was noted in the minute before. */
export async function noteTokenUse(tx: Tx, uses: ReadonlyMap<string, Date>): Promise<void> {
  await sql`
    UPDATE tokens t SET last_used_at = u.at
    FROM unnest(${[...uses.keys()]}::uuid[], ${[...uses.values()]}::timestamptz[]) AS u (id, at)
    WHERE t.id = u.id AND (t.last_used_at IS NULL
      OR t.last_used_at <= u.at - make_interval(secs => ${tokenUseIntervalMs / 1000}))`.execute(tx);
}
