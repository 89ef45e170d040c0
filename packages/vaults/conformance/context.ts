import { AsyncLocalStorage } from 'node:async_hooks';
import { readFile } from 'node:fs/promises';
import { KeyferryError, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../src/common/until-aborted.ts';
import type { CallOperation, ConnectContext } from '../src/index.ts';
import { openEgress } from './egress.ts';

/** Set while an attempt runs: a call within another one would wait for a slot that its own caller holds. */
const withinCall = new AsyncLocalStorage<CallOperation>();

/**
 * What a connection gives to a vault, as far as the vault can tell: so many calls run at a time, and each has a
 * deadline, which is over when a case says so. Every call is made once, so that a case sees what one attempt does.
 */
export class ConformanceContext implements ConnectContext {
  readonly parallelism: number;
  readonly calls: Partial<Record<CallOperation, number>> = {};
  /** Calls that were made within another one, such as `login in read`. */
  readonly nested: string[] = [];
  readonly #files: readonly string[];
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #deadline = new AbortController();

  constructor(files: readonly string[], parallelism = 8) {
    this.#files = files;
    this.parallelism = parallelism;
  }

  readonly room = (): number => Math.max(0, this.parallelism - this.#running - this.#waiting.length);

  readonly egress = openEgress;

  readonly now = (): number => Date.now();

  /** Calls so far, of every operation. */
  get total(): number {
    return Object.values(this.calls).reduce((sum, count) => sum + count, 0);
  }

  /** Lets the time of every call that is under way be over. */
  endDeadlines(): void {
    this.#deadline.abort(vaultFailure('timeout', 'The vault did not answer within 1 ms.'));
    this.#deadline = new AbortController();
  }

  readonly later = (delayMs: number, run: () => void): (() => void) => {
    const timer = withinCall.exit(() => setTimeout(run, delayMs).unref());
    return () => clearTimeout(timer);
  };

  async readAllowedFile(path: string): Promise<string> {
    if (this.#files.includes(path)) return readFile(path, 'utf8');
    throw new KeyferryError('reference_refused', `${path} is not allowed.`, { failureClass: 'unauthenticated' });
  }

  async call<Result>(
    operation: CallOperation,
    signal: AbortSignal,
    attempt: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    signal.throwIfAborted();
    const outer = withinCall.getStore();
    if (outer !== undefined) this.nested.push(`${operation} in ${outer}`);
    await this.#slot(signal);
    try {
      this.calls[operation] = (this.calls[operation] ?? 0) + 1;
      const own = AbortSignal.any([signal, this.#deadline.signal]);
      return await withinCall.run(operation, () => attempt(own));
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #slot(signal: AbortSignal): Promise<void> {
    while (this.#running >= this.parallelism) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await untilAborted(promise, signal).catch((error) => {
        // Whoever was to be woken by the place that this one took is woken in its stead.
        if (this.#waiting.includes(resolve)) this.#waiting.splice(this.#waiting.indexOf(resolve), 1);
        else this.#waiting.shift()?.();
        throw error;
      });
    }
    this.#running += 1;
  }
}
