import { type Answer, failure, noRoute, unsupportedOperation, unsupportedPath } from './answer.ts';
import type { AppRole, AuthMount, KubernetesRole, TokenPolicy } from './auth-roles.ts';
import { awsLogin } from './login-aws.ts';
import { certLogin } from './login-cert.ts';
import { gcpLogin } from './login-gcp.ts';
import { jwtLogin } from './login-jwt.ts';
import type { VaultRequest } from './request.ts';
import { mountOf, type Namespace, type VaultState } from './state.ts';
import { authJson, systemMaxTtl } from './tokens.ts';

/** The auth mount a login is for, or null: then the request needs a token like any other. */
export function loginMount(namespace: Namespace, path: string): { name: string; mount: AuthMount } | null {
  if (!path.startsWith('auth/') || !path.endsWith('/login')) return null;
  return mountOf(namespace.auths, path.slice('auth/'.length));
}

export function login(state: VaultState, namespace: Namespace, request: VaultRequest, path: string): Answer {
  const found = loginMount(namespace, path);
  if (found === null) return noRoute(path);
  if (path !== `auth/${found.name}login`) return unsupportedPath;
  if (request.operation !== 'update') return unsupportedOperation;
  const { mount, name } = found;
  const entry = findRole(state, mount, request);
  if ('status' in entry) return entry;
  const { role } = entry;
  const ttl = role.tokenTtlSeconds || systemMaxTtl;
  const token = state.tokens.create({
    policies: role.policies,
    ttlSeconds: role.tokenMaxTtlSeconds ? Math.min(ttl, role.tokenMaxTtlSeconds) : ttl,
    maxTtlSeconds: role.tokenMaxTtlSeconds ?? 0,
    numUses: role.tokenNumUses ?? 0,
    type: role.tokenType ?? 'service',
    namespace: namespace.path,
    displayName: name.slice(0, -1),
    path: `auth/${name}login`,
    metadata: entry.metadata,
  });
  return { status: 200, auth: authJson(token, state.tokens.ttlSeconds(token)) };
}

/** The role that lets the client in, or the refusal. */
export type LoginOutcome = { role: TokenPolicy; metadata: Record<string, string> } | Answer;

function findRole(state: VaultState, mount: AuthMount, request: VaultRequest): LoginOutcome {
  const now = state.clock.now();
  switch (mount.type) {
    case 'approle':
      return findAppRole(state, mount.roles, request);
    case 'kubernetes':
      return findKubernetesRole(mount.roles, request);
    case 'jwt':
      return jwtLogin(mount, request, now);
    case 'cert':
      return certLogin(mount, request, now);
    case 'aws':
      return awsLogin(mount, request, now);
    case 'gcp':
      return gcpLogin(mount, request, now);
  }
}

function findAppRole(state: VaultState, roles: Map<string, AppRole>, request: VaultRequest): LoginOutcome {
  const { role_id: roleId, secret_id: secretId } = request.body;
  if (typeof roleId !== 'string' || roleId === '') return failure(400, 'missing role_id');
  const entry = [...roles].find(([, role]) => role.roleId === roleId);
  if (entry === undefined) return failure(400, 'invalid role or secret ID');
  const [name, role] = entry;
  const found = { role, metadata: { role_name: name } };
  if (!role.bindSecretId) return found;
  if (typeof secretId !== 'string' || secretId === '') return failure(400, 'missing secret_id');
  const secret = role.secretIds.get(secretId);
  if (secret === undefined) return failure(400, 'invalid role or secret ID');
  if (secret.expiresAt !== null && secret.expiresAt <= state.clock.now()) {
    role.secretIds.delete(secretId);
    return failure(400, 'invalid role or secret ID');
  }
  if (secret.limited) {
    secret.usesLeft -= 1;
    if (secret.usesLeft <= 0) role.secretIds.delete(secretId);
  }
  return found;
}

function findKubernetesRole(roles: Map<string, KubernetesRole>, request: VaultRequest): LoginOutcome {
  const { role: name, jwt } = request.body;
  if (typeof name !== 'string' || name === '') return failure(400, 'missing role');
  if (typeof jwt !== 'string' || jwt === '') return failure(400, 'missing jwt');
  const role = roles.get(name);
  if (role === undefined) return failure(400, `invalid role name "${name}"`);
  if (!role.jwts.has(jwt)) return failure(403, 'permission denied');
  return { role, metadata: { role: name } };
}
