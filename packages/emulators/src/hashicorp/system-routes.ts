import { type Answer, failure, unsupportedOperation } from './answer.ts';
import { canonicalJson, quote } from './json.ts';
import type { VaultRequest } from './request.ts';
import { type Mount, mountOf, type Namespace, slashed, type VaultState } from './state.ts';
import { parseDuration } from './time.ts';
import type { Token } from './tokens.ts';

const serverVersion = { vault: '1.20.4', openbao: '2.4.3' } as const;

/** Endpoints that need no token and answer while sealed; null for all others. */
export function servePublic(state: VaultState, request: VaultRequest, path: string): Answer | null {
  if (path === 'sys/health') return health(state, request);
  if (path === 'sys/seal-status') return { status: 200, raw: `${sealStatus(state)}\n` };
  return null;
}

const modeStatus = {
  active: 200,
  standby: 429,
  dr_secondary: 472,
  performance_standby: 473,
  uninitialized: 501,
} as const;

function health(state: VaultState, request: VaultRequest): Answer {
  const { mode, sealed } = state;
  const query = request.query;
  const standbyOk = mode === 'standby' && /^(|1|t|true)$/.test(query.get('standbyok') ?? 'no');
  const own = sealed ? 503 : standbyOk ? 200 : modeStatus[mode];
  const parameter = sealed ? 'sealedcode' : { ...codeParameters }[mode];
  const status = Number(query.get(parameter) ?? own) || 400;
  const body = {
    initialized: mode !== 'uninitialized',
    sealed,
    standby: mode === 'standby' || mode === 'performance_standby',
    performance_standby: mode === 'performance_standby',
    replication_performance_mode: 'disabled',
    replication_dr_mode: mode === 'dr_secondary' ? 'secondary' : 'disabled',
    server_time_utc: Math.floor(state.clock.now() / 1000),
    version: serverVersion[state.flavour],
    ...(sealed ? {} : { cluster_name: 'emulator', cluster_id: '00000000-0000-0000-0000-000000000000' }),
  };
  return { status, raw: `${JSON.stringify(body)}\n` };
}

const codeParameters = {
  active: 'activecode',
  standby: 'standbycode',
  dr_secondary: 'drsecondarycode',
  performance_standby: 'performancestandbycode',
  uninitialized: 'uninitcode',
} as const;

function sealStatus(state: VaultState): string {
  return JSON.stringify({
    type: 'shamir',
    initialized: state.mode !== 'uninitialized',
    sealed: state.sealed,
    t: 1,
    n: 1,
    progress: 0,
    nonce: '',
    version: serverVersion[state.flavour],
    build_date: '2026-01-01T00:00:00Z',
    migration: false,
    recovery_seal: false,
    storage_type: 'inmem',
  });
}

/**
 * Whether a mount is there and of which version, for a token that may do anything below it. Not guarded by a policy;
 * a mount that isn't there looks as one that the token doesn't reach.
 */
export function describeMount(
  state: VaultState,
  namespace: Namespace,
  path: string,
  token: Token,
  reach: Reach,
): Answer {
  const asked = slashed(path.slice('sys/internal/ui/mounts/'.length));
  const found = mountOf(namespace.mounts, asked);
  if (found === null || !(token.policies.includes('root') || reach(found.name))) {
    return failure(
      403,
      `preflight capability check returned 403, please ensure client's policies grant access to path ${quote(asked)}`,
    );
  }
  const data = canonicalJson({ ...describe(found.mount, state), path: found.name });
  return { status: 200, data };
}

/** Whether the asking token's policies grant anything below a mount. */
export type Reach = (mount: string) => boolean;

export function listMounts(state: VaultState, namespace: Namespace, request: VaultRequest): Answer {
  if (request.operation !== 'read') return unsupportedOperation;
  const mounts = [...namespace.mounts.values()].map((mount) => [mount.path, describe(mount, state)] as const);
  return { status: 200, spread: true, data: canonicalJson(Object.fromEntries(mounts)) };
}

function describe(mount: Mount, state: VaultState): Record<string, unknown> {
  return {
    accessor: mount.accessor,
    config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
    description: '',
    external_entropy_access: false,
    local: false,
    options: { version: String(mount.store.version) },
    plugin_version: '',
    running_plugin_version: `v${serverVersion[state.flavour]}+builtin`,
    running_sha256: '',
    seal_wrap: false,
    type: 'kv',
    uuid: mount.uuid,
  };
}

/** `sys/wrapping/wrap`: the request's own body, behind a single-use token. */
export function wrap(request: VaultRequest): Answer {
  if (request.operation !== 'update') return unsupportedOperation;
  if (request.wrapTtl === null) return failure(400, 'endpoint requires response wrapping to be used');
  return { status: 200, data: canonicalJson(request.body) };
}

/** Puts a successful answer behind a wrapping token when the request asked for it. */
export function wrapAnswer(
  state: VaultState,
  request: VaultRequest,
  namespace: Namespace,
  path: string,
  answer: Answer,
): Answer {
  if (request.wrapTtl === null || answer.status !== 200 || answer.raw !== undefined) return answer;
  const ttl = parseDuration(request.wrapTtl);
  if (ttl === null || ttl <= 0) return failure(400, 'error parsing X-Vault-Wrap-TTL header');
  return { status: 200, wrapInfo: state.tokens.wrap(answer, ttl, path, namespace.path).json };
}

const invalidWrapping = failure(400, 'wrapping token is not valid or does not exist');

/**
 * `sys/wrapping/unwrap`. The wrapping token comes as X-Vault-Token with no body, or in the body beside a token of the
 * caller's own. In both places at once its only use is spent on the request itself.
 */
export function unwrap(state: VaultState, request: VaultRequest): Answer {
  if (request.operation !== 'update') return unsupportedOperation;
  const { token: inBody } = request.body;
  const wrapping = typeof inBody === 'string' && inBody !== '' ? inBody : request.token;
  if (!state.tokens.isWrapping(wrapping)) return invalidWrapping;
  if (wrapping === inBody) {
    const caller = state.tokens.lookup(request.token);
    if (caller === undefined) return failure(403, 'permission denied');
    state.tokens.use(caller);
  }
  return state.tokens.unwrap(wrapping) ?? invalidWrapping;
}
