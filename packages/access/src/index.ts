export * from './etag.ts';
export * from './flush-cache.ts';
export * from './flush-channel.ts';
export type { HeldSecret, SecretRead } from './held-secret.ts';
export type { ListedName, ListedNames, ListRequest } from './list-names.ts';
export * from './owned/remove-owned.ts';
export * from './owned/store-credentials.ts';
export * from './owned/store-secrets.ts';
export * from './place.ts';
export * from './read-secret.ts';
export type { Resolved } from './resolve.ts';
export * from './secret-text.ts';
export * from './services.ts';
export * from './write/delete-secret.ts';
export * from './write/put-secret.ts';
export type {
  Conditions,
  DeletedSecret,
  DeleteRequest,
  PutRequest,
  WriteServices,
  WrittenSecret,
} from './write/request.ts';
