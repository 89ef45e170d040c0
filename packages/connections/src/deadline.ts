import { vaultFailure } from '@keyferry/core';
import { onAbort } from '@keyferry/vaults';

/** The signal of one attempt: aborted by the caller's, or when the time is over, until this is disposed of. */
export class Deadline implements Disposable {
  readonly #own = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #forget: () => void;

  constructor(deadlineMs: number, caller: AbortSignal) {
    this.#timer = setTimeout(() => {
      this.#own.abort(vaultFailure('timeout', `The vault did not answer within ${deadlineMs} ms.`));
    }, deadlineMs);
    this.#forget = onAbort(caller, () => this.#own.abort(caller.reason));
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#forget();
  }
}
