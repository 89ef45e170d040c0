import { claimsMatch, KeyferryError, type PolicyBinding, type Scope, type Subject } from '@keyferry/core';
import { sql } from 'kysely';
import type { Tx } from './database.ts';
import { isId } from './id-or-name.ts';

/** Whom policies are for, as people name them: identities and issuers by their ids or names. */

export type NamedBinding = { identity: string } | { issuer: string; claims: Record<string, string> };

/** With whether each of them may change settings. */
interface Bound {
  bindings: PolicyBinding[];
  /** Whether all are identities that have the scope `settings`. */
  allMaySet: boolean;
}

/** Throws `identity_not_found` or `issuer_not_found`, also for those of another tenant. */
export async function bindSubjects(tx: Tx, named: readonly NamedBinding[]): Promise<Bound> {
  const identities = await identitiesNamed(tx, ...named.flatMap((one) => ('identity' in one ? [one.identity] : [])));
  const issuers = await issuersNamed(tx, ...named.flatMap((one) => ('issuer' in one ? [one.issuer] : [])));
  const bindings = named.map((one) =>
    'identity' in one
      ? { identity_id: foundIdentity(identities, one.identity).id }
      : { issuer_id: foundIssuer(issuers, one.issuer).id, claims: one.claims },
  );
  return { bindings, allMaySet: await allMaySet(tx, bindings) };
}

/** Whether all are identities that have the scope `settings`. */
export async function allMaySet(tx: Tx, bindings: readonly PolicyBinding[]): Promise<boolean> {
  const ids = bindings.flatMap((one) => ('identity_id' in one ? [one.identity_id] : []));
  if (ids.length < bindings.length) return false;
  const found = await tx
    .selectFrom('identities')
    .select('id')
    .where('id', '=', sql<string>`ANY(${ids}::uuid[])`)
    .where(sql<boolean>`'settings' = ANY(scopes)`)
    .execute();
  return found.length === new Set(ids).size;
}

/** Names of identities and issuers by their ids, also of identities that were removed. */
export async function subjectNames(
  tx: Tx,
  policies: readonly { bindings: readonly PolicyBinding[] }[],
): Promise<Map<string, string>> {
  const all = policies.flatMap(({ bindings }) => bindings);
  const identityIds = all.flatMap((one) => ('identity_id' in one ? [one.identity_id] : []));
  const issuerIds = all.flatMap((one) => ('issuer_id' in one ? [one.issuer_id] : []));
  const names = new Map<string, string>();
  for (const [table, ids] of [
    ['identities', identityIds],
    ['token_issuers', issuerIds],
  ] as const) {
    if (ids.length === 0) continue;
    const rows = await tx
      .selectFrom(table)
      .select(['id', 'name'])
      .where('id', '=', sql<string>`ANY(${[...new Set(ids)]}::uuid[])`)
      .execute();
    for (const { id, name } of rows) names.set(id, name);
  }
  return names;
}

/** Whom a question about policies is about. */
export interface AskedSubject {
  subject: Subject;
  /** The identity that it is, if it is one. */
  identity: { id: string; name: string; state: 'active' | 'disabled' } | null;
}

/**
 * An identity, or whoever an issuer's token says these claims of: the identity that the issuer's mappings make of them, or
 * nobody but their claims. Throws `identity_not_found` or `issuer_not_found`.
 */
export async function subjectOf(
  tx: Tx,
  asked: { identity: string } | { issuer: string; claims: Record<string, unknown> },
): Promise<AskedSubject> {
  if ('identity' in asked) {
    const identity = foundIdentity(await identitiesNamed(tx, asked.identity), asked.identity);
    return subjectAs(identity, { issuerId: null, claims: {} });
  }
  const { id: issuerId, mappings } = foundIssuer(await issuersNamed(tx, asked.issuer), asked.issuer);
  const token = { issuerId, claims: asked.claims };
  const mapped = mappings.find(({ claims }) => claimsMatch(asked.claims, claims))?.identity_id;
  const [identity] = mapped === undefined ? [] : await identitiesNamed(tx, mapped);
  return subjectAs(identity ?? null, token);
}

type FoundIdentity = Awaited<ReturnType<typeof identitiesNamed>>[number];

function subjectAs(identity: FoundIdentity | null, token: Pick<Subject, 'issuerId' | 'claims'>): AskedSubject {
  const scopes = new Set<Scope>(identity?.scopes);
  const shown = identity && { id: identity.id, name: identity.name, state: stateOf(identity) };
  return { subject: { ...token, identityId: identity?.id ?? null, scopes }, identity: shown };
}

const stateOf = ({ state }: FoundIdentity): 'active' | 'disabled' => (state === 'active' ? 'active' : 'disabled');

const identitiesNamed = (tx: Tx, ...named: string[]) =>
  tx
    .selectFrom('identities')
    .select(['id', 'name', 'scopes', 'state'])
    .where('state', '<>', 'removed')
    .where(matchesAny(named))
    .execute();

const issuersNamed = (tx: Tx, ...named: string[]) =>
  tx.selectFrom('token_issuers').select(['id', 'name', 'mappings']).where(matchesAny(named)).execute();

const matchesAny = (named: readonly string[]) =>
  sql<boolean>`(id = ANY(${named.filter(isId)}::uuid[]) OR name = ANY(${named.filter((text) => !isId(text))}::text[]))`;

const foundIdentity = (found: readonly FoundIdentity[], idOrName: string) =>
  foundAmong(found, idOrName) ?? refuse('identity_not_found', `There is no identity "${idOrName}".`);

const foundIssuer = (found: Awaited<ReturnType<typeof issuersNamed>>, idOrName: string) =>
  foundAmong(found, idOrName) ?? refuse('issuer_not_found', `There is no issuer "${idOrName}".`);

const foundAmong = <Thing extends { id: string; name: string }>(found: readonly Thing[], idOrName: string) =>
  found.find(({ id, name }) => (isId(idOrName) ? id : name) === idOrName);

function refuse(code: 'identity_not_found' | 'issuer_not_found', message: string): never {
  throw new KeyferryError(code, message);
}
