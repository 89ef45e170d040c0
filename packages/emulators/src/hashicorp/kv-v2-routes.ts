import { type Answer, failure, noContent, notFound, unsupportedOperation } from './answer.ts';
import { canonicalJson, isObject, quote, sortByBytes, toInteger } from './json.ts';
import type { KvV2Store } from './kv-v2-store.ts';
import { describeSecret, patchSecret, writeConfig } from './kv-v2-writes.ts';
import { listNames } from './listing.ts';
import type { VaultRequest } from './request.ts';
import type { VaultState } from './state.ts';
import { formatDuration } from './time.ts';

/** Whether a write to this path would change something that exists: it decides between `create` and `update`. */
export function existsV2(store: KvV2Store, path: string): boolean {
  const { folder, key } = split(path);
  if (folder === 'data' || folder === 'metadata') return store.secrets.get(key) !== undefined;
  return true;
}

/** Answers a request below a mount of version 2; `path` is relative to the mount. */
export function serveV2(state: VaultState, store: KvV2Store, request: VaultRequest, path: string): Answer {
  const { folder, key } = split(path);
  if (path === 'config') return serveConfig(store, request);
  const openbao = state.flavour === 'openbao';
  const isKey = key !== '' && !key.endsWith('/');
  if (folder === 'data' && isKey) return serveData(state, store, request, key);
  if (folder === 'metadata') return serveMetadata(store, request, key, openbao);
  if (folder === 'detailed-metadata' && openbao) {
    if (request.operation !== 'list' && request.operation !== 'scan') return unsupportedOperation;
    return answerListing(listNames(store.secrets, request, key, openbao), (name) => {
      // The real server joins and cleans the path, so a folder shows the metadata of a secret of the same name.
      const secret = store.secrets.get(key + name.replace(/\/$/, ''));
      return secret === undefined ? '{}' : store.metadataJson(secret, true);
    });
  }
  if (folder === 'delete' || folder === 'undelete' || folder === 'destroy') {
    if (request.operation !== 'update') return unsupportedOperation;
    const versions = readVersions(request.body.versions);
    if (versions === null) return failure(400, `${folder === 'destroy' ? 'no' : 'No'} version number provided`);
    store[folder](key, versions);
    return noContent;
  }
  return invalidPath(request, path);
}

function split(path: string): { folder: string; key: string } {
  const slash = path.indexOf('/');
  return slash === -1 ? { folder: '', key: '' } : { folder: path.slice(0, slash), key: path.slice(slash + 1) };
}

function serveData(state: VaultState, store: KvV2Store, request: VaultRequest, key: string): Answer {
  const secret = store.secrets.get(key);
  switch (request.operation) {
    case 'read': {
      const wanted = Number(request.query.get('version') ?? 0);
      if (!Number.isInteger(wanted))
        return failure(400, 'error converting input for field "version": cannot parse \'\' as int');
      const number = wanted > 0 ? wanted : (secret?.currentVersion ?? 0);
      const version = secret?.versions.get(number);
      if (secret === undefined || version === undefined) return notFound;
      const gone = version.destroyed || store.isDeleted(version);
      const data = `{"data":${gone ? 'null' : version.data},"metadata":${store.versionJson(secret, number, version)}}`;
      return { status: gone ? 404 : 200, data };
    }
    case 'create':
    case 'update':
    case 'patch':
      return writeData(state, store, request, key);
    case 'delete':
      if (secret !== undefined) store.delete(key, [secret.currentVersion]);
      return noContent;
    default:
      return unsupportedOperation;
  }
}

function writeData(state: VaultState, store: KvV2Store, request: VaultRequest, key: string): Answer {
  if (key.endsWith('.')) return failure(400, 'a path may not end in a period');
  const { data, options } = request.body;
  if (data === undefined || data === null) return failure(400, 'no data provided');
  if (!isObject(data)) return failure(400, 'error converting input for field "data": expected a map');
  const before = store.secrets.get(key);
  const patched = request.operation === 'patch' ? patchSecret(store, key, data) : canonicalJson(data);
  if (patched === null) return notFound;

  const cas = isObject(options) ? options.cas : undefined;
  if (cas !== undefined) {
    const expected = toInteger(cas);
    if (expected === null) return failure(400, 'error parsing check-and-set parameter');
    if (expected !== (before?.currentVersion ?? 0))
      return failure(400, 'check-and-set parameter did not match the current version');
  } else if (store.config.casRequired || before?.casRequired === true) {
    return failure(400, 'check-and-set parameter required for this call');
  }
  const size = Buffer.byteLength(patched);
  if (size > state.maxEntryBytes) return tooLarge(size, state.maxEntryBytes);

  const number = store.put(key, patched);
  const secret = store.secrets.get(key);
  const version = secret?.versions.get(number);
  if (secret === undefined || version === undefined) return notFound;
  return { status: 200, data: store.versionJson(secret, number, version) };
}

/** What integrated storage says of an entry above its `max_entry_size`: a fault of the server, by its status. */
export function tooLarge(size: number, limit: number): Answer {
  const words = `put failed due to value being too large; got ${size} bytes, max: ${limit} bytes`;
  return failure(500, `1 error occurred:\n\t* ${words}\n\n`);
}

function serveMetadata(store: KvV2Store, request: VaultRequest, key: string, openbao: boolean): Answer {
  const secret = store.secrets.get(key);
  switch (request.operation) {
    case 'list':
    case 'scan':
      return answerListing(listNames(store.secrets, request, key, openbao));
    case 'read':
      return secret === undefined ? notFound : { status: 200, data: store.metadataJson(secret, openbao) };
    case 'delete':
      store.secrets.delete(key);
      return noContent;
    case 'patch':
      return secret === undefined ? notFound : describeSecret(store, key, request.body, true);
    default:
      return key === '' ? failure(400, 'missing path') : describeSecret(store, key, request.body, false);
  }
}

function answerListing(names: readonly string[], details?: (name: string) => string): Answer {
  if (names.length === 0) return notFound;
  const keys = `"keys":[${names.map(quote).join(',')}]`;
  if (details === undefined) return { status: 200, data: `{${keys}}` };
  const info = sortByBytes([...names]).map((name) => `${quote(name)}:${details(name)}`);
  return { status: 200, data: `{"key_info":{${info.join(',')}},${keys}}` };
}

function serveConfig(store: KvV2Store, request: VaultRequest): Answer {
  if (request.operation === 'update') return writeConfig(store, request.body);
  if (request.operation !== 'read') return unsupportedOperation;
  const { maxVersions, casRequired, deleteVersionAfter } = store.config;
  return {
    status: 200,
    data: `{"cas_required":${casRequired},"delete_version_after":"${formatDuration(deleteVersionAfter)}","max_versions":${maxVersions}}`,
  };
}

function readVersions(value: unknown): number[] | null {
  const list = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [value];
  const numbers = list.map(toInteger).filter((number) => number !== null);
  return numbers.length === 0 ? null : numbers;
}

const commands: Partial<Record<VaultRequest['operation'], string>> = {
  create: 'put',
  update: 'put',
  read: 'get',
  list: 'list',
  delete: 'delete',
  patch: 'patch',
};

/** A 404 with a body: what a client of version 1 gets from a mount of version 2. */
function invalidPath(request: VaultRequest, path: string): Answer {
  const warning = /^(metadata|data|delete|undelete|destroy)$/.test(path)
    ? 'Non-listing operations on the root of a K/V v2 mount are not supported.'
    : `Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv ${commands[request.operation] ?? ''}' for this operation.`;
  return { status: 404, warnings: [warning] };
}
