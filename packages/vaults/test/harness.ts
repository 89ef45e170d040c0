import { KeyferryError } from '@keyferry/core';
import { startVaultEmulator, type VaultEmulator, type VaultEmulatorOptions } from '@keyferry/emulators';
import { onTestFinished } from 'vitest';
import { hashicorp } from '../src/hashicorp/index.ts';
import type { CallOperation, ConnectContext, ListScope, SecretRef, VaultBackend } from '../src/index.ts';

/** A clock that stands still until it is moved, for the emulator and the backend alike. */
export class TestClock {
  time = Date.parse('2026-03-01T12:00:00Z');
  #timers = new Set<{ at: number; run: () => void }>();

  readonly now = () => this.time;

  readonly later = (delayMs: number, run: () => void) => {
    const timer = { at: this.time + delayMs, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  /** How many timers wait: a renewal that has ended puts up the next one. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Moves on and runs what was due. */
  advance(seconds: number): void {
    this.time += seconds * 1000;
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.time)) {
      this.#timers.delete(timer);
      timer.run();
    }
  }
}

export interface Bench {
  vault: VaultEmulator;
  clock: TestClock;
  calls: Partial<Record<CallOperation, number>>;
  /** A backend with these settings over the emulator's address and root token. */
  connect(settings?: Record<string, unknown>): Promise<VaultBackend>;
  /** What is to be stored in place of one-time credentials, for the same settings. */
  exchange(settings?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Files that the operator allows, with their text, by path. */
  files: Map<string, string>;
}

/** An emulator and backends on it, all ended with the test. Calls are made once, without retries or deadlines. */
export async function startBench(options: VaultEmulatorOptions = {}): Promise<Bench> {
  const clock = new TestClock();
  const vault = await startVaultEmulator({ now: clock.now, ...options });
  onTestFinished(() => vault.close());
  const calls: Bench['calls'] = {};
  const files = new Map<string, string>();
  const context: ConnectContext = {
    call(operation, signal, attempt) {
      calls[operation] = (calls[operation] ?? 0) + 1;
      return attempt(signal);
    },
    parallelism: 8,
    now: clock.now,
    later: clock.later,
    async readAllowedFile(path) {
      const text = files.get(path);
      if (text !== undefined) return text;
      throw new KeyferryError('reference_unresolved', `There is no ${path}.`, { failureClass: 'unauthenticated' });
    },
  };
  const configOf = (settings: Record<string, unknown>) =>
    hashicorp.configSchema.parse({
      address: vault.url,
      auth: { method: 'token', token: vault.rootToken },
      ...settings,
    });
  const connect = async (settings: Record<string, unknown> = {}) => {
    const backend = await hashicorp.connect(configOf(settings), context);
    onTestFinished(() => backend.close());
    return backend;
  };
  const exchange = async (settings: Record<string, unknown> = {}) =>
    (await hashicorp.exchange?.(configOf(settings), context, patient)) ?? {};
  return { vault, clock, calls, connect, exchange, files };
}

/** A signal for calls that nobody aborts; the test's own time limit ends them. */
export const patient = new AbortController().signal;

export function scope(parts: Partial<ListScope> = {}): ListScope {
  return { folders: [''], includes: () => true, wantsRevision: () => true, ...parts };
}

export async function listAll(backend: VaultBackend, parts: Partial<ListScope> = {}): Promise<SecretRef[]> {
  const refs: SecretRef[] = [];
  for await (const page of backend.list(scope(parts), patient)) refs.push(...page);
  return refs.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What came of each path: its JSON text, or the code of its failure. */
export async function fetchAll(backend: VaultBackend, paths: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const outcome of backend.fetch(paths, patient))
    found.set(outcome.path, 'reading' in outcome ? outcome.reading.value.reveal().toString() : codeOf(outcome.error));
  return found;
}

export async function readOne(backend: VaultBackend, path: string) {
  for await (const outcome of backend.fetch([path], patient)) {
    if ('reading' in outcome) return outcome.reading;
    throw outcome.error;
  }
  throw new Error('no outcome');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** The error that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<KeyferryError> {
  const outcome = await promise.then(
    () => null,
    (error: KeyferryError) => error,
  );
  if (outcome === null) throw new Error('it did not fail');
  return outcome;
}

export const readOnly = (mount = 'secret') => ({
  [`${mount}/data/*`]: ['read'] as const,
  [`${mount}/metadata/*`]: ['read', 'list'] as const,
});
