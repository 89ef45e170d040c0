import type { IdentityAnswer, IssuerAnswer, TokenAnswer, TokenMade, WhoamiAnswer } from '@keyferry/contracts';
import { relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { facts, table } from '../output/table.ts';

export function identityTable(output: Output, identities: readonly IdentityAnswer[]): string {
  return table(
    output,
    ['NAME', 'STATE', 'SCOPES', 'OPERATOR', 'DESCRIPTION'],
    identities.map(({ name, state, scopes, operator, description }) => [
      name,
      state,
      scopes.join(' '),
      operator ? 'yes' : 'no',
      description,
    ]),
  );
}

export function identityFacts(output: Output, identity: IdentityAnswer): string {
  const now = new Date();
  return facts(output, [
    ['name', identity.name],
    ['id', identity.id],
    ['state', identity.state],
    ['scopes', identity.scopes.join(' ')],
    ['operator', identity.operator ? 'yes' : 'no'],
    ['description', identity.description],
    ['made', `${relative(identity.created_at, now)} by ${identity.created_by}`],
    ['changed', relative(identity.updated_at, now)],
  ]);
}

export function tokenTable(output: Output, tokens: readonly TokenAnswer[]): string {
  const now = new Date();
  return table(
    output,
    ['TOKEN', 'NAME', 'BEGINS', 'STATE', 'MADE', 'LAST USED', 'EXPIRES'],
    tokens.map((token) => [
      token.id,
      token.name,
      token.shown,
      token.state,
      relative(token.created_at, now),
      relative(token.last_used_at, now) ?? 'never',
      relative(token.expires_at, now) ?? 'never',
    ]),
  );
}

export function tokenFacts(output: Output, token: TokenMade): string {
  return facts(output, [
    ['name', token.name],
    ['id', token.id],
    ['expires', relative(token.expires_at, new Date()) ?? 'never'],
    ['token, shown this once', token.token],
  ]);
}

export function issuerTable(output: Output, issuers: readonly IssuerAnswer[]): string {
  return table(
    output,
    ['NAME', 'KIND', 'ISSUER', 'AUDIENCES', 'KEYS FROM', 'IDENTITIES'],
    issuers.map((issuer) => [
      issuer.name,
      issuer.kind,
      issuer.issuer,
      issuer.audiences.join(' '),
      keysFrom(issuer),
      [...new Set(issuer.mappings.map(({ identity }) => identity))].join(' '),
    ]),
  );
}

export function issuerFacts(output: Output, issuer: IssuerAnswer): string {
  const now = new Date();
  return facts(output, [
    ['name', issuer.name],
    ['id', issuer.id],
    ['kind', issuer.kind],
    ['issuer', issuer.issuer],
    ['audiences', issuer.audiences.join(' ')],
    ['algorithms', issuer.algorithms.join(' ')],
    ['keys from', keysFrom(issuer)],
    ['own authority', issuer.ca_cert === null ? null : 'given'],
    ...issuer.mappings.map(
      ({ identity, claims }, index) =>
        [
          `mapping ${index + 1}`,
          `${Object.entries(claims)
            .map(([name, text]) => `${name}=${text}`)
            .join(' ')} is ${identity}`,
        ] as const,
    ),
    ['made', `${relative(issuer.created_at, now)} by ${issuer.created_by}`],
    ['changed', relative(issuer.updated_at, now)],
  ]);
}

function keysFrom({ jwks, jwks_url }: IssuerAnswer): string {
  if (jwks !== null) return 'the settings';
  return jwks_url ?? 'discovery';
}

export function whoamiFacts(output: Output, who: WhoamiAnswer): string {
  return facts(output, [
    ['actor', who.actor],
    ['identity', who.identity_id],
    ['tenant', `${who.tenant.name} (${who.tenant.id})`],
    ['scopes', who.scopes.join(' ')],
    ['operator', who.operator ? 'yes' : 'no'],
  ]);
}
