import type { Dispatcher } from 'undici';
import { AnswerTooLarge } from './bounded-body.ts';
import { onAbort } from './on-abort.ts';

/** A whole answer. Names of headers are in lower case; of one that came more than once all values are there. */
export interface Exchange {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/**
 * One request and its whole answer, of at most so many bytes. undici's `request` would give a stream for the body, which
 * costs more than the rest of a small answer. Rejects with undici's errors, `AnswerTooLarge`, or the signal's reason, and
 * with each of them ends the connection.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  most: number,
  signal: AbortSignal,
): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let [status, headers, length]: [number, Exchange['headers'], number] = [0, {}, 0];
    const chunks: Buffer[] = [];
    const fail = (error: Error) => {
      forget();
      reject(error);
      controller?.abort(error);
    };
    const forget = onAbort(signal, () => fail(signal.reason));
    dispatcher.dispatch(request, {
      onRequestStart(given) {
        if (signal.aborted) given.abort(signal.reason);
        else controller = given;
      },
      onResponseStart(_controller, statusCode, given) {
        [status, headers] = [statusCode, given];
      },
      onResponseData(_controller, chunk) {
        length += chunk.length;
        if (length > most) fail(new AnswerTooLarge(most));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        forget();
        resolve({ status, headers, body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length) });
      },
      onResponseError: (_controller, error) => fail(error),
    });
  });
}

/** The first value of a header. */
export function headerOf({ headers }: Exchange, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
