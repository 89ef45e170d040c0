import { classOf, vaultFailure } from '@keyferry/core';
import type { CallOperation, ConnectContext } from '../contract.ts';
import type { Tokens } from './auth.ts';
import type { VaultClient, VaultRequest } from './client.ts';
import type { Answer } from './errors.ts';

interface Question extends Pick<VaultRequest, 'method' | 'path' | 'what' | 'json' | 'listing'> {
  /** Called before each time that it is sent. */
  sending?(): void;
}

/** One authenticated question to the vault; `read` turns the answer into what was asked for, or throws its failure. */
export type Ask = <T>(
  operation: CallOperation,
  question: Question,
  signal: AbortSignal,
  read: (answer: Answer) => T,
) => Promise<T>;

/**
 * The token is had before the call and not inside it: a call holds a slot, and a login needs one too.
 *
 * A token that the vault calls invalid is replaced once. A permission denied is not the token's fault, and no login
 * mends it; but OpenBao and old versions of Vault say the same of a dead token, so that the token is looked up before
 * that is believed.
 */
export function createAsk(client: VaultClient, tokens: Tokens, context: ConnectContext): Ask {
  let everAllowed = false;

  async function isDead(token: string, signal: AbortSignal): Promise<boolean> {
    const found = await tokens.check(token, signal);
    if (found === 'unsure' && !everAllowed)
      throw vaultFailure(
        'unauthenticated',
        'The vault refuses the token: it is invalid, or its policies allow nothing.',
      );
    return found === 'bad';
  }

  return async (operation, { sending, ...request }, signal, read) => {
    const attempt = (token: string) =>
      context.call(operation, signal, async (attemptSignal) => {
        sending?.();
        const result = read(await client.send({ ...request, token, signal: attemptSignal }));
        everAllowed = true;
        return result;
      });
    const token = await tokens.current(signal);
    try {
      return await attempt(token);
    } catch (error) {
      const failureClass = classOf(error);
      const dead =
        failureClass === 'unauthenticated' || (failureClass === 'forbidden' && (await isDead(token, signal)));
      if (!dead) throw error;
      return attempt(await tokens.replace(token, signal));
    }
  };
}
