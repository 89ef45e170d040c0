import type { Permission } from './identities.ts';
import type { AzureRequest } from './request.ts';

/** What a request asks of the vault, in the API's own words. */
export interface VaultOperation {
  operation: keyof typeof permissionOf;
  /** Of a secret, as it was asked for; null for listings of them. */
  name: string | null;
  version: string | null;
}

export const permissionOf = {
  GetSecrets: 'list',
  GetSecret: 'get',
  GetSecretVersions: 'list',
  SetSecret: 'set',
  UpdateSecret: 'set',
  DeleteSecret: 'delete',
  GetDeletedSecrets: 'list',
  GetDeletedSecret: 'get',
  RecoverDeletedSecret: 'recover',
  PurgeDeletedSecret: 'purge',
} as const satisfies Record<string, Permission>;

/** Null where the path and method are of no operation. */
export function operationOf({ method, segments }: AzureRequest): VaultOperation | null {
  const [collection, name = null, third = null, ...rest] = segments ?? [];
  if (rest.length > 0) return null;
  const operation =
    collection === 'secrets' ? ofSecrets(method, name, third) : ofDeleted(collection, method, name, third);
  if (operation === null) return null;
  return { operation, name, version: operation === 'GetSecretVersions' ? null : third };
}

function ofSecrets(method: string, name: string | null, third: string | null): VaultOperation['operation'] | null {
  if (name === null) return method === 'GET' ? 'GetSecrets' : null;
  if (method === 'GET') return third === 'versions' ? 'GetSecretVersions' : 'GetSecret';
  if (method === 'PATCH') return 'UpdateSecret';
  if (third !== null) return null;
  return method === 'PUT' ? 'SetSecret' : method === 'DELETE' ? 'DeleteSecret' : null;
}

function ofDeleted(
  collection: string | undefined,
  method: string,
  name: string | null,
  third: string | null,
): VaultOperation['operation'] | null {
  if (collection !== 'deletedsecrets') return null;
  if (name === null) return method === 'GET' ? 'GetDeletedSecrets' : null;
  if (third !== null) return method === 'POST' && third === 'recover' ? 'RecoverDeletedSecret' : null;
  return method === 'GET' ? 'GetDeletedSecret' : method === 'DELETE' ? 'PurgeDeletedSecret' : null;
}
