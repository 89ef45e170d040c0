import { randomBytes, randomUUID } from 'node:crypto';

export interface TokenPolicy {
  policies: readonly string[];
  /** 0: the server's default of 768 hours. */
  tokenTtlSeconds?: number;
  tokenMaxTtlSeconds?: number;
  tokenNumUses?: number;
  tokenType?: 'service' | 'batch';
}

export interface SecretId {
  accessor: string;
  /** 0: any number. */
  usesLeft: number;
  limited: boolean;
  /** Milliseconds since the epoch, or null for never. */
  expiresAt: number | null;
}

export interface AppRole extends TokenPolicy {
  roleId: string;
  /** False: the role id alone is enough. */
  bindSecretId: boolean;
  secretIds: Map<string, SecretId>;
}

export interface KubernetesRole extends TokenPolicy {
  /** Service account tokens that are accepted, word for word. */
  jwts: Set<string>;
}

export function newAppRole(settings: TokenPolicy & { roleId?: string; bindSecretId?: boolean }): AppRole {
  const { roleId = randomUUID(), bindSecretId = true, ...rest } = settings;
  return { ...rest, roleId, bindSecretId, secretIds: new Map() };
}

export function newSecretId(numUses: number, expiresAt: number | null): SecretId {
  return { accessor: randomBytes(16).toString('hex'), usesLeft: numUses, limited: numUses > 0, expiresAt };
}
