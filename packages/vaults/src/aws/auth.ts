import { createTokenKeeper, type TokenKeeper } from '../common/token-keeper.ts';
import type { Credentials } from './clients.ts';
import type { Login } from './login.ts';

export type CredentialsKeeper = TokenKeeper<Credentials>;

const earlyMs = 2 * 60_000;

/** The credentials of a connection. */
export function createCredentialsKeeper(login: Login, now: () => number, life: AbortSignal): CredentialsKeeper {
  return createTokenKeeper({
    async login(signal) {
      const credentials = await login.acquire(signal);
      return { token: credentials, endsAt: credentials.expiresAt ?? Number.POSITIVE_INFINITY };
    },
    now,
    life,
    earlyMs,
    refusedAgain: 'AWS does not accept the credentials that it has just given.',
  });
}
