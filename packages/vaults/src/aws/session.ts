import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { classOf } from '@keyferry/core';
import type { CallOperation } from '../contract.ts';
import type { CredentialsKeeper } from './auth.ts';
import type { Caller } from './caller.ts';
import type { Clients, Credentials } from './clients.ts';

interface Asking {
  client: SecretsManagerClient;
  options: { abortSignal: AbortSignal };
  credentials: Credentials;
}

/** One request to Secrets Manager. `send` makes it and reads the answer, or throws its failure. */
export type Ask = <T>(
  operation: CallOperation,
  what: string,
  signal: AbortSignal,
  send: (asking: Asking) => Promise<T>,
) => Promise<T>;

/**
 * Credentials are had before the call and not inside it: a call holds a slot, and a login needs one too. Those that AWS
 * does not know any more, or that have expired, are replaced once. A permission denied is not their fault.
 */
export function createAsk(
  clients: Clients,
  keeper: CredentialsKeeper,
  renewable: boolean,
  call: Caller,
  region: (signal: AbortSignal) => Promise<string>,
): Ask {
  return async (operation, what, signal, send) => {
    const attempt = async (credentials: Credentials) => {
      const client = clients.secretsManager(credentials, await region(signal));
      return call(operation, what, signal, (options) => send({ client, options, credentials }));
    };
    const credentials = await keeper.current(signal);
    try {
      return await attempt(credentials);
    } catch (error) {
      if (!renewable || classOf(error) !== 'unauthenticated' || signal.aborted) throw error;
      return attempt(await keeper.replace(credentials, signal));
    }
  };
}
