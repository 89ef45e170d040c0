import { classOf } from '@keyferry/core';
import type { CallOperation, ConnectContext } from '../contract.ts';
import type { Tokens } from './auth.ts';
import type { VaultClient, VaultRequest } from './client.ts';

/** One authenticated question to the vault; `read` turns what it answers into what was asked for, or throws. */
export type Ask = <Result, Wanted>(
  operation: CallOperation,
  request: Pick<VaultRequest<Result>, 'call' | 'what' | 'listing'>,
  signal: AbortSignal,
  read: (result: Result, body: Buffer) => Wanted,
) => Promise<Wanted>;

/**
 * The token is had before the call and not inside it: a call holds a slot, and a login needs one too. A token that the
 * vault refuses is replaced once.
 */
export function createAsk(client: VaultClient, tokens: Tokens, context: ConnectContext): Ask {
  return async (operation, request, signal, read) => {
    const attempt = (token: string) =>
      context.call(operation, signal, async (attemptSignal) => {
        const { result, body } = await client.send({ ...request, token, signal: attemptSignal });
        return read(result, body);
      });
    const token = await tokens.current(signal);
    try {
      return await attempt(token);
    } catch (error) {
      if (classOf(error) !== 'unauthenticated') throw error;
      return attempt(await tokens.replace(token, signal));
    }
  };
}
