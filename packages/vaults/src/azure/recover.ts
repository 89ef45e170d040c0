import { classOf, KeyferryError } from '@keyferry/core';
import type { ConnectContext } from '../contract.ts';
import { failureOf, malformed, showsSecret, wordsOf } from './errors.ts';
import type { Names } from './names.ts';
import type { NamedReading, SecretReader } from './read.ts';
import type { Session } from './session.ts';
import { settled } from './settle.ts';
import type { HttpAnswer } from './transport.ts';

/**
 * Brings a deleted secret back, and waits until it is there. The SDK's pollers would make several requests in one call,
 * and wait on their own.
 */
export interface Recovery {
  /** What is there then; null where there was nothing to bring back. */
  recover(path: string, signal: AbortSignal): Promise<Recovered | null>;
}

/** A secret that is back. One that is disabled, or may not be read, shows no more than that. */
type Recovered = { current: NamedReading } | { unread: KeyferryError };

export function createRecovery(
  session: Session,
  names: Names,
  reader: SecretReader,
  context: ConnectContext,
): Recovery {
  /** Whether there was something to bring back. */
  function start(path: string, what: string, signal: AbortSignal): Promise<boolean> {
    const place = `/deletedsecrets/${names.nameOf(path, what)}/recover`;
    const read = (answer: HttpAnswer) => {
      if (answer.status === 200 && !showsSecret(answer)) throw malformed(what);
      const { innerCode } = wordsOf(answer);
      if (answer.status === 200 || innerCode === 'ObjectIsBeingRecovered') return { value: true };
      if (innerCode === 'ObjectIsBeingDeleted') return null;
      const failure = failureOf(answer, what, context.now());
      if (classOf(failure) === 'not_found') return { value: false };
      throw failure;
    };
    return settled(context, what, signal, () =>
      session.send({ operation: 'write', what, signal }, 'POST', place, read),
    );
  }

  function finish(path: string, what: string, signal: AbortSignal): Promise<Recovered> {
    return settled<Recovered>(context, what, signal, async () => {
      try {
        return { value: { current: await reader.read('read', path, signal) } };
      } catch (error) {
        const failureClass = classOf(error);
        if (failureClass === 'not_found') return null;
        const unread = failureClass === 'disabled' || failureClass === 'forbidden';
        if (unread && error instanceof KeyferryError) return { value: { unread: error } };
        throw error;
      }
    });
  }

  return {
    async recover(path, signal) {
      const what = `recover "${path}"`;
      return (await start(path, what, signal)) ? finish(path, what, signal) : null;
    },
  };
}
