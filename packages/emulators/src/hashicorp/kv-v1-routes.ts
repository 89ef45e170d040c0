import { type Answer, failure, noContent, notFound, unsupportedOperation } from './answer.ts';
import { canonicalJson, quote } from './json.ts';
import type { KvV1Store } from './kv-v1-store.ts';
import { tooLarge } from './kv-v2-routes.ts';
import { listNames } from './listing.ts';
import type { VaultRequest } from './request.ts';
import type { VaultState } from './state.ts';
import { systemMaxTtl } from './tokens.ts';

/** Answers a request below a mount of version 1; `path` is relative to the mount. */
export function serveV1(state: VaultState, store: KvV1Store, request: VaultRequest, path: string): Answer {
  // This engine uses the path as the storage's key, which refuses two periods anywhere.
  if (path.includes('..')) return failure(400, 'relative paths not supported');
  switch (request.operation) {
    case 'read': {
      const data = store.secrets.get(path);
      return data === undefined ? notFound : { status: 200, data, leaseDuration: systemMaxTtl };
    }
    case 'scan':
    case 'list': {
      const names = listNames(store.secrets, request, path, state.flavour === 'openbao');
      return names.length === 0 ? notFound : { status: 200, data: `{"keys":[${names.map(quote).join(',')}]}` };
    }
    case 'create':
    case 'update': {
      if (path === '') return failure(400, 'missing path');
      if (Object.keys(request.body).length === 0) return failure(400, 'missing data fields');
      const data = canonicalJson(request.body);
      const size = Buffer.byteLength(data);
      if (size > state.maxEntryBytes) return tooLarge(size, state.maxEntryBytes);
      store.secrets.set(path, data);
      return noContent;
    }
    case 'delete':
      store.secrets.delete(path);
      return noContent;
    default:
      return unsupportedOperation;
  }
}
