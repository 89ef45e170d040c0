import { hash, timingSafeEqual } from 'node:crypto';
import { type Grants, type PathPermission, type Policy, pathPermissions, type Scope, scopes } from '@keyferry/core';
import { defaultTenantId } from '@keyferry/store';
import type { Authenticator, Identity } from './identity.ts';

/** Tokens that the environment gives: they open an installation that has no identities yet. */
export interface EnvironmentTokens {
  /** Opens everything, but for revoking where there is a token for that. */
  token: string;
  /** Opens revoking, its opposite, and reading all but values. */
  revokeToken?: string | undefined;
}

/** Digests are compared, so that the time tells nothing, length included. */
export function environmentAuthenticator({ token, revokeToken }: EnvironmentTokens): Authenticator {
  const everything = pathPermissions.filter((permission) => permission !== 'admin');
  const ordinary = revokeToken ? everything.filter((permission) => permission !== 'revoke') : everything;
  const holders = [
    { expected: digest(token), identity: holderOf('api-token', scopes, ordinary) },
    ...(revokeToken
      ? [{ expected: digest(revokeToken), identity: holderOf('revoke-token', ['federation:read'], ['revoke']) }]
      : []),
  ];
  return {
    identify(credential) {
      const given = digest(credential);
      const [holder] = holders.filter(({ expected }) => timingSafeEqual(given, expected));
      return holder?.identity ?? null;
    },
  };
}

const digest = (text: string) => hash('sha256', text, 'buffer');

function holderOf(actor: string, held: readonly Scope[], permissions: readonly PathPermission[]): Identity {
  return {
    tenantId: defaultTenantId,
    id: null,
    actor,
    operator: held.length === scopes.length,
    scopes: new Set(held),
    grants: onAllPaths(actor, permissions),
  };
}

function onAllPaths(name: string, permissions: readonly PathPermission[]): Grants {
  const policy: Policy = { id: name, name, pathGlob: '**', permissions, ipRanges: [], expiresAt: null, bindings: [] };
  const granted = new Set(permissions);
  return {
    find: (permission) => (granted.has(permission) ? policy : null),
    anywhere: (permission) => granted.has(permission),
    ended: () => 0,
  };
}
