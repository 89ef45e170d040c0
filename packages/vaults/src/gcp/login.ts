import type { Lease } from '../common/token-keeper.ts';
import type { ConnectContext } from '../contract.ts';
import type { GcpConfig } from './config.ts';
import { defaultLogin } from './default-credentials.ts';
import type { Read } from './document.ts';
import { readExternalAccount } from './external-account.ts';
import { federatedLogin } from './federation.ts';
import { machineLogin } from './metadata-server.ts';
import { readServiceAccount } from './service-account.ts';
import { serviceAccountLogin } from './service-account-login.ts';
import { refusedLogin, type TokenRequests } from './token-requests.ts';

/** Logs in once, and keeps nothing. */
export type Login = (signal: AbortSignal) => Promise<Lease<string>>;

export interface LoginRequests {
  /** To addresses that settings name. */
  settings: TokenRequests;
  /** To what the machine's own identity is had from. */
  machine: TokenRequests;
}

/** How the settings log in. Files are read again at each login, so that what is replaced there is noticed. */
export function createLogin(
  config: GcpConfig,
  { settings: requests, machine }: LoginRequests,
  context: ConnectContext,
): Login {
  const { auth, endpoint } = config;
  switch (auth.method) {
    case 'service_account':
      return async (signal) => {
        const account = contentOf(readServiceAccount(await textOf(auth, context), endpoint), auth);
        return serviceAccountLogin(account, requests)(signal);
      };
    case 'workload_identity':
      return async (signal) => {
        const account = contentOf(readExternalAccount(await textOf(auth, context), endpoint), auth);
        return federatedLogin(account, { settings: requests, machine }, (path) => context.readAllowedFile(path))(
          signal,
        );
      };
    case 'metadata_server':
      return machineLogin(machine);
    case 'default':
      return defaultLogin(machine);
  }
}

interface Documents {
  credentials_json?: string | undefined;
  credentials_file?: string | undefined;
}

function textOf({ credentials_json, credentials_file = '' }: Documents, context: ConnectContext): Promise<string> {
  return credentials_json === undefined ? context.readAllowedFile(credentials_file) : Promise.resolve(credentials_json);
}

function contentOf<Content>(read: Read<Content>, { credentials_file }: Documents): Content {
  if ('content' in read) return read.content;
  const place = credentials_file === undefined ? 'auth.credentials_json' : `the file ${credentials_file}`;
  throw refusedLogin('log in', `${place} ${read.problem}`);
}
