import type { SecretIdOptions } from './auth-handle.ts';
import type { TokenPolicy } from './auth-roles.ts';
import type { MountOptions, VaultEmulator } from './emulator.ts';
import type { Fault, FaultHandle } from './faults.ts';
import type { PutOptions, SecretData } from './kv-handle.ts';
import type { PolicyRules } from './policies.ts';
import type { QuotaSettings } from './quota.ts';
import type { LoggedRequest } from './request-log.ts';
import type { NodeMode } from './state.ts';
import type { TokenSettings } from './tokens.ts';

interface At {
  mount: string;
  namespace?: string;
}

type SecretAt = At & { path: string };
type RoleAt = { name: string; mount?: string; namespace?: string };

/** What another process may ask of an emulator: arguments and result of each operation, all of them JSON. */
export interface Controls {
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
  enableAuth: { args: { type: 'approle' | 'kubernetes'; mount?: string; namespace?: string }; result: null };
  appRole: { args: RoleAt & TokenPolicy & { roleId?: string; bindSecretId?: boolean }; result: { roleId: string } };
  secretId: { args: RoleAt & SecretIdOptions; result: { secretId: string } };
  kubernetesRole: { args: RoleAt & TokenPolicy & { jwts: string[] }; result: null };
  seal: { args: object; result: null };
  unseal: { args: object; result: null };
  mode: { args: { mode: NodeMode }; result: null };
  latency: { args: { milliseconds: number }; result: null };
  quota: { args: { quota: QuotaSettings | null }; result: null };
  fault: { args: Omit<Fault, 'when'>; result: { id: number } };
  faultHits: { args: { id: number }; result: { hits: number } };
  removeFault: { args: { id: number }; result: null };
  clearFaults: { args: object; result: null };
  /** The counters, and the newest requests, as many as wanted. */
  requests: {
    args: { newest?: number };
    result: { total: number; counts: Record<string, number>; newest: LoggedRequest[] };
  };
  resetRequests: { args: object; result: null };
}

export type ControlOperation = keyof Controls;
export type Control = <Op extends ControlOperation>(
  operation: Op,
  args: Controls[Op]['args'],
) => Promise<Controls[Op]['result']>;

type Handlers = { [Op in ControlOperation]: (args: Controls[Op]['args']) => Controls[Op]['result'] };

/** The operations on one emulator. The returned function throws on an unknown operation or impossible arguments. */
export function controlOf(emulator: VaultEmulator): (operation: string, args: unknown) => unknown {
  const faults = new Map<number, FaultHandle>();
  const { auth } = emulator;
  const kv = (at: At) => emulator.kv(at.mount, at.namespace);
  const done = (_nothing: unknown): null => null;
  const handlers: Handlers = {
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
    seal: () => done(emulator.seal()),
    unseal: () => done(emulator.unseal()),
    mode: ({ mode }) => done(emulator.setMode(mode)),
    latency: ({ milliseconds }) => done(emulator.setLatency(milliseconds)),
    quota: ({ quota }) => done(emulator.setQuota(quota)),
    fault: (fault) => {
      const id = faults.size + 1;
      faults.set(id, emulator.faults.inject(fault));
      return { id };
    },
    faultHits: ({ id }) => ({ hits: faults.get(id)?.hits ?? 0 }),
    removeFault: ({ id }) => done(faults.get(id)?.remove()),
    clearFaults: () => done(emulator.faults.clear()),
    requests: ({ newest = 0 }) => ({
      total: emulator.requests.total,
      counts: emulator.requests.counts,
      newest: newest === 0 ? [] : emulator.requests.all.slice(-newest),
    }),
    resetRequests: () => done(emulator.requests.reset()),
  };
  return (operation, args) => {
    if (!Object.hasOwn(handlers, operation)) throw new Error(`unknown operation ${operation}`);
    // Another process's JSON: it is trusted to be of the shape that `Controls` gives it.
    const handler = handlers[operation as ControlOperation] as (args: unknown) => unknown;
    return handler(args ?? {});
  };
}

function place(mount?: string, namespace?: string): { mount?: string; namespace?: string } {
  return { ...(mount === undefined ? {} : { mount }), ...(namespace === undefined ? {} : { namespace }) };
}
