import { KeyferryError } from '@keyferry/core';
import { startVaultEmulator, type VaultEmulator, type VaultEmulatorOptions } from '@keyferry/emulators';
import { thisMachine } from '@keyferry/testing/support/this-machine.ts';
import { builtInVaults, type ListScope, type VaultBackend } from '@keyferry/vaults';
import { onTestFinished } from 'vitest';
import {
  type BackendToOpen,
  type Connection,
  type ConnectionLimits,
  type CredentialKeys,
  createConnectionPool,
  type PoolOptions,
} from '../src/index.ts';

/** A pool whose users don't give up, unless they say so. */
export interface TestPool {
  open(backend: BackendToOpen, signal?: AbortSignal): Promise<Connection>;
  close(): Promise<void>;
}

/** Retries without noticeable waits. */
export const quick = { retryBaseMs: 1, retryMaxMs: 2, retryAfterCapMs: 2 };

export async function startVault(options: VaultEmulatorOptions = {}): Promise<VaultEmulator> {
  const vault = await startVaultEmulator(options);
  onTestFinished(() => vault.close());
  return vault;
}

export function startPool(
  limits: Partial<ConnectionLimits> = {},
  environment: NodeJS.ProcessEnv = {},
  allowedEnvironment: readonly string[] = [],
  allowedFiles: readonly string[] = [],
  more: Partial<PoolOptions> = {},
): TestPool {
  const pool = createConnectionPool({
    registry: builtInVaults,
    allowedEnvironment,
    environment,
    allowedFiles,
    allowedIdentities: [],
    allowedVaults: thisMachine,
    ...more,
    limits: { ...quick, ...limits },
  });
  onTestFinished(() => pool.close());
  return { open: (backend, signal = patient) => pool.open(backend, signal), close: () => pool.close() };
}

/** A tenant without keys. */
export const noKeys: CredentialKeys = {
  versions: async () => '',
  read: (path) => Promise.reject(new KeyferryError('reference_unresolved', `There is no ${path}.`)),
};

export function backendOf(vault: VaultEmulator, settings: Record<string, unknown> = {}, fingerprint = '1') {
  const auth = { method: 'token', token: vault.rootToken };
  return {
    id: 'backend',
    kind: 'hashicorp',
    fingerprint,
    keys: noKeys,
    settings: () => ({ address: vault.url, kv_version: 2, auth, ...settings }),
  };
}

export const patient = new AbortController().signal;

export const everything: ListScope = { folders: [''], includes: () => true, wantsRevision: () => true };

/** What came of each path: `ok`, or the code of its failure. */
export async function fetchAll(vault: VaultBackend, paths: readonly string[], signal = patient) {
  const found: Record<string, string> = {};
  for await (const outcome of vault.fetch(refsOf(paths), signal))
    found[outcome.path] =
      'reading' in outcome ? 'ok' : 'code' in outcome.error ? String(outcome.error.code) : 'unknown';
  return found;
}

export const refsOf = (paths: readonly string[]) => paths.map((path) => ({ path, facts: null }));

export async function listAll(vault: VaultBackend): Promise<string[]> {
  const paths: string[] = [];
  for await (const page of vault.list(everything, patient)) paths.push(...page.map(({ path }) => path));
  return paths.sort();
}

export const named = (count: number) => Array.from({ length: count }, (_, index) => `key-${index}`);
