import { type Circumstances, type Grants, KeyferryError, type PathPermission, type Scope } from '@keyferry/core';

/** Who asks, and for which tenant. */
export interface Identity {
  tenantId: string;
  /** One of the tenant's identities; null for who is known by claims alone, or by the environment. */
  id: string | null;
  /** As the audit log names them. */
  actor: string;
  /** May manage tenants, and name the one that a request is for. */
  operator: boolean;
  scopes: ReadonlySet<Scope>;
  /** What may be done with paths. */
  grants: Grants;
}

/** What a request says beside its credential. */
export interface Asked {
  /** The tenant it names, by id or name. */
  tenant: string | null;
}

/** Knows who a credential stands for. */
export interface Authenticator {
  /**
   * Null where it is nobody's, whatever the reason: who asks is told no more. Rejects where that can't be found out, and with
   * `tenant_suspended` where it is of a tenant that is.
   */
  identify(credential: string, asked: Asked): Promise<Identity | null> | Identity | null;
}

/** Whether a permission on a local path is granted. Who may see all records sees all names. */
export function mayOn(
  { scopes, grants }: Identity,
  permission: PathPermission,
  path: string,
  circumstances: Circumstances,
): boolean {
  if (permission === 'list' && scopes.has('federation:read')) return true;
  return grants.find(permission, path, circumstances) !== null;
}

/** Whether it is granted on any path at all. */
export function mayAnywhere(
  { scopes, grants }: Identity,
  permission: PathPermission,
  circumstances: Circumstances,
): boolean {
  if (permission === 'list' && scopes.has('federation:read')) return true;
  return grants.anywhere(permission, circumstances);
}

/** For whoever has it on no path: there is nothing to look at. */
export const forbiddenAnywhere = (permission: PathPermission): KeyferryError =>
  new KeyferryError('forbidden', `No policy grants "${permission}" on any path.`, { details: { permission } });

/** The same answer whether or not there is anything at the path. */
export const forbiddenPath = (permission: PathPermission, path: string): KeyferryError =>
  new KeyferryError('forbidden', `No policy grants "${permission}" on "${path}".`, { details: { permission } });

export const forbiddenScope = (scope: Scope | 'operator'): KeyferryError =>
  new KeyferryError(
    'forbidden',
    scope === 'operator'
      ? 'Only operators may do this.'
      : `The identity may not do this: it lacks the scope "${scope}".`,
    {
      details: { scope },
    },
  );

/** What grants nothing. */
export const noGrants: Grants = { find: () => null, anywhere: () => false, ended: () => 0 };
