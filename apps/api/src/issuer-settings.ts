import { keySourceProblem } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { assertDestination, type EgressPolicy } from '@keyferry/egress';
import type { Identity } from '@keyferry/identity';
import { type ClaimMapping, getIdentity, identitiesById, type TokenIssuer, type Tx } from '@keyferry/store';
import { assertMayGive } from './authority.ts';

type KeySource = Pick<TokenIssuer, 'issuer' | 'jwks_url' | 'jwks'>;

/** Refuses an issuer whose keys can't be known, as a change would make it. Throws `config_invalid`. */
export function assertSound<Source extends KeySource>(source: Source): Source {
  const problem = keySourceProblem(source);
  if (problem) throw new KeyferryError('config_invalid', `${problem.field}: it ${problem.message}.`);
  return source;
}

/** Refuses what the issuer's keys could never be asked from. Throws `egress_refused`. */
export function assertReachable(policy: EgressPolicy, { issuer, jwks_url, jwks }: KeySource): void {
  if (jwks !== null) return;
  const { hostname, protocol } = new URL(jwks_url ?? issuer);
  assertDestination(policy, { host: hostname, plain: protocol !== 'https:' });
}

/**
 * Mappings with identities by their ids. Whom a token stands for is given by who has it already. Throws
 * `identity_not_found` or `forbidden`.
 */
export async function mappingsOf(
  tx: Tx,
  by: Identity,
  mappings: readonly { claims: Record<string, string>; identity: string }[],
): Promise<ClaimMapping[]> {
  const ids = new Map<string, string>();
  for (const { identity: named } of mappings) {
    if (ids.has(named)) continue;
    const meant = await getIdentity(tx, named);
    assertMayGive(by, meant);
    ids.set(named, meant.id);
  }
  return mappings.map(({ claims, identity }) => ({ claims, identity_id: ids.get(identity) as string }));
}

/** Refuses to change how somebody proves to be who they can't give. Throws `forbidden`. */
export async function assertMayChangeIssuer(tx: Tx, by: Identity, { mappings }: TokenIssuer): Promise<void> {
  const meant = await identitiesById(tx, [...new Set(mappings.map(({ identity_id }) => identity_id))]);
  for (const identity of meant) assertMayGive(by, identity);
}

/** The names of all whom issuers map to, by their ids. */
export async function identityNames(tx: Tx, issuers: readonly TokenIssuer[]): Promise<Map<string, string>> {
  const ids = new Set(issuers.flatMap(({ mappings }) => mappings.map(({ identity_id }) => identity_id)));
  return new Map((await identitiesById(tx, [...ids])).map(({ id, name }) => [id, name]));
}
