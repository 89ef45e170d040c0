import { randomUUID } from 'node:crypto';
import { type AppRole, type KubernetesRole, newAppRole, newSecretId, type TokenPolicy } from './auth-roles.ts';
import { canonicalJson } from './json.ts';
import { type AuthMount, newAccessor, slashed, type VaultState } from './state.ts';

export interface SecretIdOptions {
  /** 0: any number of logins. */
  numUses?: number;
  ttlSeconds?: number;
  /** Hands out a response-wrapping token instead of the secret id, good for this long. */
  wrapTtlSeconds?: number;
}

/** Auth methods and their roles, set up directly. Mounts are named without `auth/`. */
export class AuthHandle {
  readonly #state: VaultState;

  constructor(state: VaultState) {
    this.#state = state;
  }

  enable(type: AuthMount['type'], mount: string = type, namespace = ''): void {
    const entry: AuthMount = { type, accessor: newAccessor(`auth_${type}`), roles: new Map() };
    this.#state.namespace(namespace).auths.set(slashed(mount), entry);
  }

  disable(mount: string, namespace = ''): void {
    this.#state.namespace(namespace).auths.delete(slashed(mount));
  }

  /** Returns the role id. */
  appRole(
    name: string,
    settings: TokenPolicy & { roleId?: string; bindSecretId?: boolean },
    at: { mount?: string; namespace?: string } = {},
  ): string {
    const role = newAppRole(settings);
    this.#appRoles(at).set(name, role);
    return role.roleId;
  }

  /** A new secret id of a role, or the token it is wrapped in. */
  secretId(name: string, options: SecretIdOptions = {}, at: { mount?: string; namespace?: string } = {}): string {
    const role = this.#appRoles(at).get(name);
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
  revokeSecretId(name: string, id: string, at: { mount?: string; namespace?: string } = {}): void {
    this.#appRoles(at).get(name)?.secretIds.delete(id);
  }

  /** A role that lets in whoever shows one of the given service account tokens. */
  kubernetesRole(
    name: string,
    settings: TokenPolicy & { jwts: readonly string[] },
    at: { mount?: string; namespace?: string } = {},
  ): void {
    const { jwts, ...rest } = settings;
    const mount = this.#mount(at.mount ?? 'kubernetes', at.namespace ?? '');
    if (mount.type !== 'kubernetes') throw new Error('not a kubernetes mount');
    const role: KubernetesRole = { ...rest, jwts: new Set(jwts) };
    mount.roles.set(name, role);
  }

  #appRoles(at: { mount?: string; namespace?: string }): Map<string, AppRole> {
    const mount = this.#mount(at.mount ?? 'approle', at.namespace ?? '');
    if (mount.type !== 'approle') throw new Error('not an approle mount');
    return mount.roles;
  }

  #mount(path: string, namespace: string): AuthMount {
    const mount = this.#state.namespace(namespace).auths.get(slashed(path));
    if (mount === undefined) throw new Error(`no auth method at ${path}`);
    return mount;
  }
}
