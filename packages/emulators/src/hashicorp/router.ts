import type { Quota } from '../http/quota.ts';
import { type Answer, failure, noRoute, permissionDenied, unsupportedPath } from './answer.ts';
import { serveV1 } from './kv-v1-routes.ts';
import { existsV2, serveV2 } from './kv-v2-routes.ts';
import { login, loginMount } from './login.ts';
import type { VaultRequest } from './request.ts';
import { mountOf, type Namespace, slashed, type VaultState } from './state.ts';
import { describeMount, listMounts, servePublic, unwrap, wrap, wrapAnswer } from './system-routes.ts';
import { refuseToken, serveToken } from './token-routes.ts';
import type { Token } from './tokens.ts';
import { createsKey, serveTransit } from './transit-routes.ts';

/** Decides a request in the order of the real server: seal, quota, login, token, policy, mount. */
export function route(state: VaultState, quota: Quota, request: VaultRequest): Answer {
  const fullPath = slashed(request.namespace) + request.path;
  const namespace = namespaceOf(state, fullPath);
  const path = fullPath.slice(namespace.path.length);
  const open = servePublic(state, request, path);
  if (open !== null) return open;
  if (state.sealed) return failure(503, 'Vault is sealed');
  const refused = quota.refuse();
  if (refused !== null)
    return { ...failure(429, `request path "${path}": rate limit quota exceeded`), headers: refused };
  const writes = request.operation === 'update' || request.operation === 'patch';
  if (writes && path.endsWith('/')) return failure(400, "cannot write to a path ending in '/'");

  const mountType = path.startsWith('sys/') ? 'system' : path.startsWith('auth/') ? 'token' : 'kv';
  const answer = { mountType, ...decide(state, namespace, request, path) };
  return wrapAnswer(state, request, namespace, path, answer);
}

/** The namespace that a path begins with; what is left of an unknown one stays a path without a mount. */
function namespaceOf(state: VaultState, path: string): Namespace {
  let best = state.namespace('');
  if (state.namespaces.size === 1) return best;
  for (const candidate of state.namespaces.values())
    if (candidate.path.length > best.path.length && path.startsWith(candidate.path)) best = candidate;
  return best;
}

function decide(state: VaultState, namespace: Namespace, request: VaultRequest, path: string): Answer {
  if (loginMount(namespace, path) !== null) return login(state, namespace, request, path);
  if (path === 'sys/wrapping/unwrap') return unwrap(state, request);
  const token = state.tokens.lookup(request.token);
  if (token === undefined) return refuseToken(state, request.token);
  state.tokens.use(token);
  if (path.startsWith('sys/internal/ui/mounts/') && request.operation === 'read') {
    const reach = (mount: string) => reaches(state, token, namespace, mount);
    return describeMount(state, namespace, path, token, reach);
  }
  return serve(state, namespace, request, path, token);
}

function reaches(state: VaultState, token: Token, namespace: Namespace, mount: string): boolean {
  const path = pathOfToken(token, namespace, mount);
  return path !== null && state.accessList(token).reaches(path);
}

/** A path as the policies of a token name it: relative to the token's namespace. Null outside of it. */
function pathOfToken(token: Token, namespace: Namespace, path: string): string | null {
  return namespace.path.startsWith(token.namespace) ? namespace.path.slice(token.namespace.length) + path : null;
}

function serve(state: VaultState, namespace: Namespace, request: VaultRequest, path: string, token: Token): Answer {
  // `-self` endpoints belong to the token, wherever it is used.
  const self = path.startsWith('auth/token/') && path.endsWith('-self');
  const policyPath = self ? path : pathOfToken(token, namespace, path);
  const found = mountOf(namespace.mounts, path) ?? mountOf(namespace.mounts, `${path}/`);
  const relative = found === null ? '' : path.slice(found.name.length);
  const transit = mountOf(namespace.transits, path);
  const inTransit = transit === null ? '' : path.slice(transit.name.length);
  const creates = transit !== null && request.operation === 'update' && createsKey(transit.mount, inTransit);
  const operation =
    creates || (found !== null && request.operation === 'update' && !exists(found.mount.store, relative))
      ? 'create'
      : request.operation;
  const root = token.policies.includes('root');
  if (policyPath === null || !(root || state.accessList(token).allows(operation, policyPath))) return permissionDenied;

  if (path.startsWith('auth/token/')) return serveToken(state, request, path, token);
  if (path === 'sys/mounts') return listMounts(state, namespace, request);
  if (path === 'sys/wrapping/wrap') return wrap(request);
  if (path.startsWith('sys/')) return unsupportedPath;
  if (transit !== null) return serveTransit(transit.mount, { ...request, operation }, inTransit);
  if (found === null) return noRoute(path);
  const { store } = found.mount;
  return store.version === 2 ? serveV2(state, store, request, relative) : serveV1(state, store, request, relative);
}

function exists(store: NonNullable<ReturnType<Namespace['mounts']['get']>>['store'], path: string): boolean {
  return store.version === 2 ? existsV2(store, path) : store.secrets.get(path) !== undefined;
}
