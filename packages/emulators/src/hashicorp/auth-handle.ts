import { randomUUID } from 'node:crypto';
import {
  type AuthMount,
  type AuthType,
  type AwsConfig,
  type AwsKey,
  type AwsRole,
  type CertRole,
  type GcpRole,
  type JwtConfig,
  type JwtRole,
  newAppRole,
  newAuthMount,
  newSecretId,
  type TokenPolicy,
} from './auth-roles.ts';
import { canonicalJson } from './json.ts';
import { newAccessor, slashed, type VaultState } from './state.ts';

export interface SecretIdOptions {
  /** 0: any number of logins. */
  numUses?: number;
  ttlSeconds?: number;
  /** Hands out a response-wrapping token instead of the secret id, good for this long. */
  wrapTtlSeconds?: number;
}

/** Where an auth method is mounted: by default at the name of its type, in the root namespace. */
export interface AuthAt {
  mount?: string;
  namespace?: string;
}

/** Auth methods and their roles, set up directly. Mounts are named without `auth/`. */
export class AuthHandle {
  readonly #state: VaultState;

  constructor(state: VaultState) {
    this.#state = state;
  }

  enable(type: AuthType, mount: string = type, namespace = ''): void {
    this.#state.namespace(namespace).auths.set(slashed(mount), newAuthMount(type, newAccessor(`auth_${type}`)));
  }

  disable(mount: string, namespace = ''): void {
    this.#state.namespace(namespace).auths.delete(slashed(mount));
  }

  /** Returns the role id. */
  appRole(name: string, settings: TokenPolicy & { roleId?: string; bindSecretId?: boolean }, at: AuthAt = {}): string {
    const role = newAppRole(settings);
    this.#mount('approle', at).roles.set(name, role);
    return role.roleId;
  }

  /** A new secret id of a role, or the token it is wrapped in. */
  secretId(name: string, options: SecretIdOptions = {}, at: AuthAt = {}): string {
    const role = this.#mount('approle', at).roles.get(name);
    if (role === undefined) throw new Error(`no AppRole ${name}`);
    const { numUses = 0, ttlSeconds = 0, wrapTtlSeconds } = options;
    const id = randomUUID();
    const secret = newSecretId(numUses, ttlSeconds === 0 ? null : this.#state.clock.now() + ttlSeconds * 1000);
    role.secretIds.set(id, secret);
    if (wrapTtlSeconds === undefined) return id;
    const data = canonicalJson({
      secret_id: id,
      secret_id_accessor: secret.accessor,
      secret_id_num_uses: numUses,
      secret_id_ttl: ttlSeconds,
    });
    const path = `auth/${at.mount ?? 'approle'}/role/${name}/secret-id`;
    const answer = { status: 200, data, mountType: 'approle' };
    return this.#state.tokens.wrap(answer, wrapTtlSeconds, path, slashed(at.namespace ?? '')).token;
  }

  /** Makes a secret id unusable. */
  revokeSecretId(name: string, id: string, at: AuthAt = {}): void {
    this.#mount('approle', at).roles.get(name)?.secretIds.delete(id);
  }

  /** A role that lets in whoever shows one of the given service account tokens. */
  kubernetesRole(name: string, settings: TokenPolicy & { jwts: readonly string[] }, at: AuthAt = {}): void {
    const { jwts, ...rest } = settings;
    this.#mount('kubernetes', at).roles.set(name, { ...rest, jwts: new Set(jwts) });
  }

  jwtConfig(config: JwtConfig, at: AuthAt = {}): void {
    this.#mount('jwt', at).config = config;
  }

  jwtRole(name: string, role: JwtRole, at: AuthAt = {}): void {
    // The server knows these names in lower case alone.
    this.#mount('jwt', at).roles.set(name.toLowerCase(), role);
  }

  certRole(name: string, role: CertRole, at: AuthAt = {}): void {
    this.#mount('cert', at).roles.set(name, role);
  }

  awsConfig(config: AwsConfig, at: AuthAt = {}): void {
    this.#mount('aws', at).config = config;
  }

  awsRole(name: string, role: AwsRole, at: AuthAt = {}): void {
    this.#mount('aws', at).roles.set(name, role);
  }

  /** Makes AWS know a key. */
  awsKey(accessKeyId: string, key: AwsKey, at: AuthAt = {}): void {
    this.#mount('aws', at).keys.set(accessKeyId, key);
  }

  gcpRole(name: string, role: GcpRole, at: AuthAt = {}): void {
    this.#mount('gcp', at).roles.set(name, role);
  }

  /** Makes Google know a public key, in PEM: of a service account, or its own that the tokens of machines are signed with. */
  gcpKey(email: string | null, keyId: string, publicKey: string, at: AuthAt = {}): void {
    const { keys } = this.#mount('gcp', at);
    keys.set(email ?? '', new Map([...(keys.get(email ?? '') ?? []), [keyId, publicKey]]));
  }

  #mount<Type extends AuthType>(type: Type, at: AuthAt): Extract<AuthMount, { type: Type }> {
    const path = at.mount ?? type;
    const mount = this.#state.namespace(at.namespace ?? '').auths.get(slashed(path));
    if (mount === undefined) throw new Error(`no auth method at ${path}`);
    if (!isOfType(mount, type)) throw new Error(`the auth method at ${path} is no ${type}`);
    return mount;
  }
}

function isOfType<Type extends AuthType>(mount: AuthMount, type: Type): mount is Extract<AuthMount, { type: Type }> {
  return mount.type === type;
}
