import { type Policy, pathPermissions, scopes } from '@keyferry/core';
import type { Authenticator, Identity } from '@keyferry/identity';

/** Knows one credential: somebody of a tenant who may do everything there, unless `less` says otherwise. */
export function knownIdentity(credential: string, tenantId: string, less: Partial<Identity> = {}): Authenticator {
  const policy: Policy = {
    id: 'all',
    name: 'all',
    pathGlob: '**',
    permissions: pathPermissions,
    ipRanges: [],
    expiresAt: null,
    bindings: [],
  };
  const identity: Identity = {
    tenantId,
    id: null,
    actor: credential,
    operator: false,
    scopes: new Set(scopes),
    grants: { find: () => policy, anywhere: () => true, ended: () => 0 },
    ...less,
  };
  return { identify: (given) => (given === credential ? identity : null) };
}
