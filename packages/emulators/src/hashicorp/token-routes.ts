import { type Answer, failure, noContent, permissionDenied, unsupportedOperation, unsupportedPath } from './answer.ts';
import { canonicalJson, isObject, toInteger } from './json.ts';
import type { VaultRequest } from './request.ts';
import type { VaultState } from './state.ts';
import { formatDuration, formatTime, parseDuration } from './time.ts';
import { authJson, systemMaxTtl, type Token } from './tokens.ts';

/** Answers `auth/token/...` for the token that asks. */
export function serveToken(state: VaultState, request: VaultRequest, path: string, token: Token): Answer {
  switch (path) {
    case 'auth/token/lookup-self':
      return request.operation === 'read' ? { status: 200, data: lookupJson(state, token) } : unsupportedOperation;
    case 'auth/token/renew-self':
      return request.operation === 'update' ? renew(state, request, token) : unsupportedOperation;
    case 'auth/token/revoke-self':
      if (request.operation !== 'update') return unsupportedOperation;
      if (token.type === 'batch') return failure(400, 'batch tokens cannot be revoked');
      state.tokens.revoke(token.id);
      return noContent;
    case 'auth/token/create':
      return request.operation === 'update' ? create(state, request, token) : unsupportedOperation;
    default:
      return unsupportedPath;
  }
}

function renew(state: VaultState, request: VaultRequest, token: Token): Answer {
  if (token.type === 'batch') return failure(400, 'batch tokens cannot be renewed');
  const increment = parseDuration(toInteger(request.body.increment) ?? request.body.increment ?? 0);
  if (increment === null) return failure(400, 'error converting input for field "increment"');
  if (!state.tokens.renew(token, increment)) return failure(400, 'lease is not renewable');
  const ttl = state.tokens.ttlSeconds(token);
  const auth = authJson(token, ttl);
  const wanted = increment || token.creationTtl;
  if (ttl >= wanted) return { status: 200, auth };
  const limit = formatDuration(token.maxTtlSeconds || systemMaxTtl);
  const warning = `TTL of "${formatDuration(wanted)}" exceeded the effective max_ttl of "${limit}"; TTL value is capped accordingly`;
  return { status: 200, auth, warnings: [warning] };
}

function create(state: VaultState, request: VaultRequest, parent: Token): Answer {
  if (parent.type === 'batch') return failure(400, 'batch tokens cannot create more tokens');
  const { body } = request;
  const root = parent.policies.includes('root');
  const asked = Array.isArray(body.policies) ? body.policies.map(String) : parent.policies;
  if (!root && !asked.every((policy) => parent.policies.includes(policy)))
    return failure(400, 'child policies must be subset of parent');
  const ttl = parseDuration(body.ttl ?? 0);
  const maxTtl = parseDuration(body.explicit_max_ttl ?? 0);
  if (ttl === null || maxTtl === null) return failure(400, 'ttl could not be parsed');
  const child = state.tokens.create({
    policies: asked,
    maxTtlSeconds: maxTtl,
    numUses: toInteger(body.num_uses) ?? 0,
    renewable: body.renewable !== false,
    type: body.type === 'batch' ? 'batch' : 'service',
    namespace: parent.namespace,
    metadata: isObject(body.meta) ? (body.meta as Record<string, string>) : {},
    ...(ttl > 0 ? { ttlSeconds: ttl } : {}),
  });
  return { status: 200, auth: authJson(child, state.tokens.ttlSeconds(child)) };
}

function lookupJson(state: VaultState, token: Token): string {
  return canonicalJson({
    accessor: token.accessor,
    creation_time: Math.floor(token.issuedAt / 1000),
    creation_ttl: token.creationTtl,
    display_name: token.displayName,
    entity_id: '',
    expire_time: token.expiresAt === null ? null : formatTime(token.expiresAt),
    explicit_max_ttl: token.maxTtlSeconds,
    id: token.id,
    issue_time: formatTime(token.issuedAt),
    meta: Object.keys(token.metadata).length === 0 ? null : token.metadata,
    num_uses: token.usesLeft,
    orphan: true,
    path: token.path,
    policies: token.policies,
    renewable: token.renewable,
    ttl: state.tokens.ttlSeconds(token),
    type: token.type,
    ...(token.namespace === '' ? {} : { namespace_path: token.namespace }),
  });
}

/** Refuses an unknown token. OpenBao doesn't say that it was the token: the answer is that of a policy's refusal. */
export function refuseToken(state: VaultState, token: string): Answer {
  if (state.flavour === 'openbao') return permissionDenied;
  if (token === '') return failure(403, 'permission denied');
  return failure(403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n');
}
