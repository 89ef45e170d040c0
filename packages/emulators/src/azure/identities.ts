import { randomBytes, randomUUID } from 'node:crypto';

const permissions = ['get', 'list', 'set', 'delete', 'recover', 'purge'] as const;
export type Permission = (typeof permissions)[number];

/** An application of the tenant, or a managed identity of a machine. */
export interface Identity {
  clientId: string;
  objectId: string;
  permissions: readonly Permission[];
  /** What it may not do all the same; with a secret's name, on this one alone. */
  forbidden: { permission: Permission; secret?: string }[];
  clientSecrets: { value: string; expiresAt: number | null }[];
  /** PEM of the certificates whose keys may speak for it. */
  certificates: string[];
  /** Whose tokens are taken in the place of a secret; the key is PEM. */
  federated: { issuer: string; subject: string; publicKey: string }[];
  /** Of a managed identity: how it is named beside its ids, and whether the machine uses it unless told otherwise. */
  managed: { resourceId: string; byDefault: boolean } | null;
}

export interface IdentityOptions {
  clientId?: string;
  permissions?: readonly Permission[];
}

export function newIdentity(options: IdentityOptions): Identity {
  return {
    clientId: options.clientId ?? randomUUID(),
    objectId: randomUUID(),
    permissions: options.permissions ?? permissions,
    forbidden: [],
    clientSecrets: [],
    certificates: [],
    federated: [],
    managed: null,
  };
}

/** Forty characters, as Entra's own are. */
export function newClientSecret(): string {
  return `${randomBytes(2).toString('hex')}8Q~${randomBytes(24).toString('base64url')}`;
}

/** Whether it may do this with the secret, or with the vault where none is named. */
export function mayDo({ permissions, forbidden }: Identity, permission: Permission, secret: string | null): boolean {
  const applies = (rule: Identity['forbidden'][number]) =>
    rule.permission === permission &&
    (rule.secret === undefined || rule.secret.toLowerCase() === secret?.toLowerCase());
  return permissions.includes(permission) && !forbidden.some(applies);
}
