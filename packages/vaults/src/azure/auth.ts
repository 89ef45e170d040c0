import { classOf, isTransient, vaultFailure } from '@keyferry/core';
import { createTokenKeeper, type TokenKeeper } from '../common/token-keeper.ts';
import type { ConnectContext } from '../contract.ts';
import type { Challenge } from './challenge.ts';
import type { Login } from './login.ts';

export interface Tokens extends TokenKeeper<string> {
  /** What the vault told of itself; null before the first login. */
  readonly challenge: Challenge | null;
  /** Ends logins that are under way. Tokens can't be revoked, they end by themselves. */
  close(): void;
}

const earlyMs = 120_000;

/** The token of a connection, for the resource that the vault names when it is first asked. */
export function createTokens(
  learn: (signal: AbortSignal) => Promise<Challenge>,
  login: Login,
  context: ConnectContext,
): Tokens {
  const life = new AbortController();
  let challenge: Challenge | null = null;
  let refusedToken: string | null = null;

  const keeper = createTokenKeeper({
    async login(signal) {
      const askedAt = context.now();
      challenge ??= await learn(signal);
      const { token, seconds } = await login(challenge.resource, signal);
      // A machine keeps its own identity's tokens, and gives the refused one again until it ends.
      if (token === refusedToken)
        throw vaultFailure('unauthenticated', 'The vault does not accept the token, and no other one can be had yet.');
      return { token, endsAt: askedAt + seconds * 1000 };
    },
    now: () => context.now(),
    life: life.signal,
    earlyMs,
    refusedAgain: 'The vault does not accept the token that was just issued for it.',
    // Where the vault itself was not understood, no credentials were sent: that may be asked again at once.
    isRefusal: (error) => classOf(error) === 'unauthenticated' || (challenge !== null && !isTransient(classOf(error))),
    dropping(refused) {
      refusedToken = refused;
      // The vault may have come into another directory.
      challenge = null;
    },
  });

  return {
    ...keeper,
    get challenge() {
      return challenge;
    },
    close() {
      life.abort(vaultFailure('unavailable', 'The connection to the vault was closed.'));
    },
  };
}
