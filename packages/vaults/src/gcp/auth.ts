import { classOf, vaultFailure } from '@keyferry/core';
import { createTokenKeeper, type TokenKeeper } from '../common/token-keeper.ts';
import type { ConnectContext } from '../contract.ts';
import type { Login } from './login.ts';

export interface Tokens extends TokenKeeper<string> {
  /** Ends logins that are under way. Tokens can't be revoked, they end by themselves. */
  close(): void;
}

/** The machine's own tokens are the same until five minutes before their end. */
const earlyMs = 5 * 60_000;

/** The access token of a connection. */
export function createTokens(login: Login, context: ConnectContext): Tokens {
  const life = new AbortController();
  const keeper = createTokenKeeper({
    login,
    now: () => context.now(),
    life: life.signal,
    earlyMs,
    refusedAgain: 'The vault does not accept the token that Google has just given.',
    // What a proxy in between answers is no word on the credentials, and may be over at once.
    isRefusal: (error) => classOf(error) === 'unauthenticated',
  });
  return {
    ...keeper,
    close() {
      life.abort(vaultFailure('unavailable', 'The connection to the vault was closed.'));
    },
  };
}
