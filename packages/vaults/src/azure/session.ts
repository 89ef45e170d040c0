import type { SecretClient } from '@azure/keyvault-secrets';
import { classOf } from '@keyferry/core';
import type { CallOperation, ConnectContext } from '../contract.ts';
import type { Tokens } from './auth.ts';
import type { Exchange, VaultClient } from './client.ts';
import { failureOf } from './errors.ts';
import type { HttpAnswer } from './transport.ts';

export interface Question {
  operation: CallOperation;
  /** What is attempted, and on which path: goes after "Could not" in a message. */
  what: string;
  signal: AbortSignal;
}

export interface Session {
  /** Asks by a call of the SDK's. `read` turns what came of it into what was asked for, or throws its failure. */
  ask<T, R>(
    question: Question,
    invoke: (sdk: SecretClient) => Promise<T>,
    read: (exchange: Exchange<T>) => R,
  ): Promise<R>;
  /** Asks without the SDK. */
  send<R>(question: Question, method: string, path: string, read: (answer: HttpAnswer) => R): Promise<R>;
  /** What was answered with 200; throws the failure that any other answer means. */
  resultOf<T>(exchange: Exchange<T>, what: string): T;
}

/**
 * The token is had before the call and not inside it: a call holds a slot, and a login needs one too. One that the vault
 * does not accept is replaced once.
 */
export function createSession(client: VaultClient, tokens: Tokens, context: ConnectContext): Session {
  async function withToken<R>(
    { operation, what, signal }: Question,
    attempt: (token: string, signal: AbortSignal) => Promise<{ answer: HttpAnswer; value: () => R }>,
  ): Promise<R> {
    const attemptWith = (token: string) =>
      context.call(operation, signal, async (attemptSignal) => {
        const { answer, value } = await attempt(token, attemptSignal);
        if (answer.status === 401) throw failureOf(answer, what, context.now());
        return value();
      });
    const token = await tokens.current(signal);
    try {
      return await attemptWith(token);
    } catch (error) {
      if (classOf(error) !== 'unauthenticated') throw error;
      return attemptWith(await tokens.replace(token, signal));
    }
  }

  return {
    ask: (question, invoke, read) =>
      withToken(question, async (token, signal) => {
        const exchange = await client.call(invoke, { token, what: question.what, signal });
        return { answer: exchange.answer, value: () => read(exchange) };
      }),
    send: (question, method, path, read) =>
      withToken(question, async (token, signal) => {
        const answer = await client.send(method, path, { token, what: question.what, signal });
        return { answer, value: () => read(answer) };
      }),
    resultOf({ answer, result }, what) {
      if (result === null) throw failureOf(answer, what, context.now());
      return result;
    },
  };
}
