import { KeyferryError } from '@keyferry/core';
import { openEgress } from '../conformance/egress.ts';
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

export interface TestContext {
  context: ConnectContext;
  /** Calls so far, by operation. */
  calls: Partial<Record<CallOperation, number>>;
  /** Files that the operator allows, with their text, by path. */
  files: Map<string, string>;
}

/** A context that makes each call once, without retries or deadlines, and counts it. */
export function testContext(
  clock: TestClock,
  { parallelism = 8, files = new Map() }: { parallelism?: number; files?: Map<string, string> } = {},
): TestContext {
  const calls: TestContext['calls'] = {};
  const context: ConnectContext = {
    call(operation, signal, attempt) {
      calls[operation] = (calls[operation] ?? 0) + 1;
      return attempt(signal);
    },
    parallelism,
    room: () => parallelism,
    now: clock.now,
    later: clock.later,
    egress: openEgress,
    async readAllowedFile(path) {
      const text = files.get(path);
      if (text !== undefined) return text;
      throw new KeyferryError('reference_unresolved', `There is no ${path}.`, { failureClass: 'unauthenticated' });
    },
  };
  return { context, calls, files };
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

/** What came of each path: its text, or the code of its failure. */
export async function fetchAll(backend: VaultBackend, paths: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const outcome of backend.fetch(paths.map(unlisted), patient))
    found.set(outcome.path, 'reading' in outcome ? outcome.reading.value.reveal().toString() : codeOf(outcome.error));
  return found;
}

export async function readOne(backend: VaultBackend, path: string) {
  for await (const outcome of backend.fetch([unlisted(path)], patient)) {
    if ('reading' in outcome) return outcome.reading;
    throw outcome.error;
  }
  throw new Error('no outcome');
}

/** A ref of which no listing has shown anything. */
export function unlisted(path: string) {
  return { path, facts: null };
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
