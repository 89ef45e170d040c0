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

export interface JwtRole extends TokenPolicy {
  /** The token has to name one of them. Without any, it may name none. */
  boundAudiences?: readonly string[];
  boundSubject?: string;
  /** Claims that have to have one of the values. */
  boundClaims?: Record<string, string | readonly string[]>;
  /** The claim that names the user; `sub` by default. */
  userClaim?: string;
}

/** Whose tokens a mount of the type `jwt` takes. */
export interface JwtConfig {
  /** PEM of public keys, as `jwt_validation_pubkeys`, or as an issuer's discovery would give them. */
  keys: readonly string[];
  boundIssuer?: string;
}

export interface CertRole extends TokenPolicy {
  /** PEM of an authority, or of the very certificate that a client has to show. */
  certificate: string;
  /** Names of which the certificate's common name has to be one; `*` at the end stands for any rest. */
  allowedCommonNames?: readonly string[];
}

export interface AwsRole extends TokenPolicy {
  /** ARNs of users and roles; `*` at the end stands for any rest. */
  boundPrincipals: readonly string[];
}

/** A key that AWS knows, and whose. */
export interface AwsKey {
  secretAccessKey: string;
  sessionToken?: string;
  /** `arn:aws:iam::123456789012:user/sync`, or that of a session of a role. */
  arn: string;
  /** Milliseconds since the epoch. */
  expiresAt?: number;
}

export interface AwsConfig {
  /** What X-Vault-AWS-IAM-Server-ID has to say. */
  serverId?: string;
  /** Where AWS is asked who has signed; the one of the whole world by default. */
  stsEndpoint?: string;
}

export interface GcpRole extends TokenPolicy {
  /** `gce` asks for a token of a machine. */
  type: 'iam' | 'gce';
  /** E-mail addresses, or `*` alone. */
  boundServiceAccounts: readonly string[];
  maxJwtExpSeconds?: number;
}

export type AuthMount = { accessor: string } & (
  | { type: 'approle'; roles: Map<string, AppRole> }
  | { type: 'kubernetes'; roles: Map<string, KubernetesRole> }
  | { type: 'jwt'; roles: Map<string, JwtRole>; config: JwtConfig }
  | { type: 'cert'; roles: Map<string, CertRole> }
  | { type: 'aws'; roles: Map<string, AwsRole>; config: AwsConfig; keys: Map<string, AwsKey> }
  /** `keys` are PEM of public ones by their id: those of accounts by e-mail address, Google's own by an empty one. */
  | { type: 'gcp'; roles: Map<string, GcpRole>; keys: Map<string, Map<string, string>> }
);

export type AuthType = AuthMount['type'];

export function newAuthMount(type: AuthType, accessor: string): AuthMount {
  switch (type) {
    case 'approle':
    case 'kubernetes':
    case 'cert':
      return { type, accessor, roles: new Map() };
    case 'jwt':
      return { type, accessor, roles: new Map(), config: { keys: [] } };
    case 'aws':
      return { type, accessor, roles: new Map(), config: {}, keys: new Map() };
    case 'gcp':
      return { type, accessor, roles: new Map(), keys: new Map() };
  }
}

export function newAppRole(settings: TokenPolicy & { roleId?: string; bindSecretId?: boolean }): AppRole {
  const { roleId = randomUUID(), bindSecretId = true, ...rest } = settings;
  return { ...rest, roleId, bindSecretId, secretIds: new Map() };
}

export function newSecretId(numUses: number, expiresAt: number | null): SecretId {
  return { accessor: randomBytes(16).toString('hex'), usesLeft: numUses, limited: numUses > 0, expiresAt };
}
