import type { QuotaSettings } from '../http/quota.ts';
import type { EmulatorServer } from '../http/server.ts';
import { done, type Handlers, type ServerControls, serverHandlers } from '../process/control.ts';
import type { AuthAt, SecretIdOptions } from './auth-handle.ts';
import type {
  AuthType,
  AwsConfig,
  AwsKey,
  AwsRole,
  CertRole,
  GcpRole,
  JwtConfig,
  JwtRole,
  TokenPolicy,
} from './auth-roles.ts';
import type { MountOptions, VaultEmulator } from './emulator.ts';
import type { PutOptions, SecretData } from './kv-handle.ts';
import type { PolicyRules } from './policies.ts';
import type { NodeMode } from './state.ts';
import type { TokenSettings } from './tokens.ts';

interface At {
  mount: string;
  namespace?: string;
}

type SecretAt = At & { path: string };
type RoleAt = AuthAt & { name: string };

/** What another process may ask of an emulator: arguments and result of each operation, all of them JSON. */
export interface Controls extends ServerControls {
  enable: { args: MountOptions & { path: string }; result: null };
  disable: { args: { path: string; namespace?: string }; result: null };
  /** Writes `count` secrets at `<prefix>/group-0042/key-0012345`, `groups` folders in all. */
  seed: { args: At & { count: number; prefix?: string; groups?: number }; result: null };
  /** Writes a new version of this share of all secrets, spread evenly: 0.01 is every hundredth. */
  change: { args: At & { share: number }; result: { changed: string[] } };
  put: { args: SecretAt & PutOptions & { data: SecretData }; result: { version: number } };
  delete: { args: SecretAt; result: null };
  undelete: { args: SecretAt & { versions?: number[] }; result: null };
  destroy: { args: SecretAt & { versions?: number[] }; result: null };
  deleteMetadata: { args: SecretAt; result: null };
  paths: { args: At; result: string[] };
  policy: { args: { name: string; rules: PolicyRules; namespace?: string }; result: null };
  token: { args: TokenSettings; result: { token: string } };
  revoke: { args: { token: string }; result: null };
  enableAuth: { args: AuthAt & { type: AuthType }; result: null };
  appRole: { args: RoleAt & TokenPolicy & { roleId?: string; bindSecretId?: boolean }; result: { roleId: string } };
  secretId: { args: RoleAt & SecretIdOptions; result: { secretId: string } };
  kubernetesRole: { args: RoleAt & TokenPolicy & { jwts: string[] }; result: null };
  jwtConfig: { args: AuthAt & JwtConfig; result: null };
  jwtRole: { args: RoleAt & JwtRole; result: null };
  certRole: { args: RoleAt & CertRole; result: null };
  awsConfig: { args: AuthAt & AwsConfig; result: null };
  awsRole: { args: RoleAt & AwsRole; result: null };
  awsKey: { args: AuthAt & AwsKey & { accessKeyId: string }; result: null };
  gcpRole: { args: RoleAt & GcpRole; result: null };
  gcpKey: { args: AuthAt & { email: string | null; keyId: string; publicKey: string }; result: null };
  seal: { args: object; result: null };
  unseal: { args: object; result: null };
  mode: { args: { mode: NodeMode }; result: null };
  quota: { args: { quota: QuotaSettings | null }; result: null };
}

/** The operations on one emulator, by name. */
export function controlHandlers(emulator: VaultEmulator, server: EmulatorServer): Handlers<Controls> {
  const { auth } = emulator;
  const kv = (at: At) => emulator.kv(at.mount, at.namespace);
  return {
    ...serverHandlers(server),
    enable: ({ path, ...options }) => done(emulator.mounts.enable(path, options)),
    disable: ({ path, namespace }) => done(emulator.mounts.disable(path, namespace)),
    seed: ({ count, prefix = 'bifrost', groups = 100, ...at }) =>
      done(
        kv(at).seed(count, (index) => {
          const group = String(index % groups).padStart(4, '0');
          const path = `${prefix}/group-${group}/key-${String(index).padStart(7, '0')}`;
          return { path, data: { value: `emulated-value-of-${index}-version-1` } };
        }),
      ),
    change: ({ share, ...at }) => {
      const handle = kv(at);
      const step = Math.max(1, Math.round(1 / share));
      const changed = handle.paths().filter((_path, index) => index % step === 0);
      for (const path of changed) {
        const next = (handle.get(path)?.version ?? 0) + 1;
        handle.put(path, { value: `emulated-value-of-${path}-version-${next}` });
      }
      return { changed };
    },
    put: ({ path, data, customMetadata, deleteVersionAfter, ...at }) => ({
      version: kv(at).put(path, data, {
        ...(customMetadata === undefined ? {} : { customMetadata }),
        ...(deleteVersionAfter === undefined ? {} : { deleteVersionAfter }),
      }),
    }),
    delete: ({ path, ...at }) => done(kv(at).delete(path)),
    undelete: ({ path, versions, ...at }) => done(kv(at).undelete(path, versions)),
    destroy: ({ path, versions, ...at }) => done(kv(at).destroy(path, versions)),
    deleteMetadata: ({ path, ...at }) => done(kv(at).deleteMetadata(path)),
    paths: (at) => kv(at).paths(),
    policy: ({ name, rules, namespace }) => done(emulator.policies.write(name, rules, namespace)),
    token: (settings) => ({ token: emulator.tokens.create(settings) }),
    revoke: ({ token }) => done(emulator.tokens.revoke(token)),
    enableAuth: ({ type, mount, namespace }) => done(auth.enable(type, mount, namespace)),
    appRole: ({ name, mount, namespace, ...settings }) => ({
      roleId: auth.appRole(name, settings, place(mount, namespace)),
    }),
    secretId: ({ name, mount, namespace, ...options }) => ({
      secretId: auth.secretId(name, options, place(mount, namespace)),
    }),
    kubernetesRole: ({ name, mount, namespace, ...settings }) =>
      done(auth.kubernetesRole(name, settings, place(mount, namespace))),
    jwtConfig: ({ mount, namespace, ...config }) => done(auth.jwtConfig(config, place(mount, namespace))),
    jwtRole: ({ name, mount, namespace, ...role }) => done(auth.jwtRole(name, role, place(mount, namespace))),
    certRole: ({ name, mount, namespace, ...role }) => done(auth.certRole(name, role, place(mount, namespace))),
    awsConfig: ({ mount, namespace, ...config }) => done(auth.awsConfig(config, place(mount, namespace))),
    awsRole: ({ name, mount, namespace, ...role }) => done(auth.awsRole(name, role, place(mount, namespace))),
    awsKey: ({ accessKeyId, mount, namespace, ...key }) => done(auth.awsKey(accessKeyId, key, place(mount, namespace))),
    gcpRole: ({ name, mount, namespace, ...role }) => done(auth.gcpRole(name, role, place(mount, namespace))),
    gcpKey: ({ email, keyId, publicKey, mount, namespace }) =>
      done(auth.gcpKey(email, keyId, publicKey, place(mount, namespace))),
    seal: () => done(emulator.seal()),
    unseal: () => done(emulator.unseal()),
    mode: ({ mode }) => done(emulator.setMode(mode)),
    quota: ({ quota }) => done(emulator.setQuota(quota)),
  };
}

function place(mount?: string, namespace?: string): AuthAt {
  return { ...(mount === undefined ? {} : { mount }), ...(namespace === undefined ? {} : { namespace }) };
}
