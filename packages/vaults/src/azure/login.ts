import { ending } from '../common/ending.ts';
import { readTokenFile } from '../common/token-file.ts';
import { untilAborted } from '../common/until-aborted.ts';
import type { ConnectContext } from '../contract.ts';
import type { AzureAuth } from './auth-fields.ts';
import { authorityOf, isMicrosoftAuthority } from './clouds.ts';
import type { AzureConfig } from './config.ts';
import { createLoginHttpClient, currentLogin, LoginWatch, type WatchOptions } from './login-watch.ts';
import { credentialOf } from './sdk-credential.ts';
import type { Transport } from './transport.ts';

/** What a login gives: a token, and for how long it is good. */
interface Lease {
  token: string;
  seconds: number;
}

export type Login = (resource: string, signal: AbortSignal) => Promise<Lease>;

/**
 * Makes the function that logs in by the SDK. Each login has a credential of its own: one that is kept would give the
 * token again that the vault has refused.
 */
export function createLogin(config: AzureConfig, transport: Transport, context: ConnectContext): Login {
  const { auth } = config;
  const authority = authorityOf(config.vault_url, config.authority_host ?? operatorsAuthority(auth));
  const watched = watchOptions(auth, authority);
  const { what } = watched;

  return async (resource, signal) => {
    const assertion =
      auth.method === 'workload_identity' ? (auth.token ?? (await readTokenFile(auth.token_file, context))) : '';
    return context.call('login', signal, async (attempt) => {
      const options = {
        authorityHost: authority,
        httpClient: await createLoginHttpClient(),
        // The directory is the one that the settings name, whether the public one knows of it or not.
        disableInstanceDiscovery: true,
        retryOptions: { maxRetries: 0 },
        redirectOptions: { maxRetries: 0 },
      };
      const watch = new LoginWatch(transport, attempt, watched);
      try {
        const credential = await credentialOf(auth, assertion, options);
        const asked = currentLogin.run(watch, () => credential.getToken(`${resource}/.default`));
        const got = await untilAborted(asked, attempt);
        if (!got?.token) throw new Error('no token');
        // The SDK stamps by the clock of the process, whatever the context's is.
        return { token: got.token, seconds: (got.expiresOnTimestamp - Date.now()) / 1000 };
      } catch {
        throw attempt.aborted ? ending(attempt.reason, what) : watch.failure(context.now());
      }
    });
  };
}

/** Where the operator's own identity logs in, where the operator says so. */
function operatorsAuthority({ method }: AzureAuth): string | undefined {
  const { AZURE_AUTHORITY_HOST: named = '' } = process.env;
  return (method === 'default' || method === 'managed_identity') && URL.canParse(named) ? named : undefined;
}

function watchOptions({ method }: AzureAuth, authority: string): WatchOptions {
  const itself = 'log in as this machine';
  switch (method) {
    case 'managed_identity':
      // Where a machine asks for its own identity is the machine's affair.
      return { what: itself, allows: () => true, counts: () => true };
    case 'default':
      // Of the many places that are tried, those that are not there say nothing.
      return { what: itself, allows: () => true, counts: (event) => 'answer' in event || event.origin === authority };
    case 'client_secret':
    case 'certificate':
    case 'workload_identity':
      return {
        what: `log in at ${new URL(authority).host}`,
        // A known directory has several names, and the SDK chooses among them.
        allows: (origin) => origin === authority || (isMicrosoftAuthority(authority) && isMicrosoftAuthority(origin)),
        counts: () => true,
      };
  }
}
