import { readTokenFile } from '../common/token-file.ts';
import type { ConnectContext } from '../contract.ts';
import type { HashicorpAuth } from './auth-config.ts';
import { refused } from './errors.ts';

export type LoginAuth = Exclude<HashicorpAuth, { method: 'token' }>;

/** Makes the function that gives what a login posts. Throws if there is nothing lasting to log in with. */
export function loginBody(auth: LoginAuth, context: ConnectContext): (signal: AbortSignal) => Promise<object> {
  switch (auth.method) {
    case 'approle':
      return appRoleBody(auth);
    case 'kubernetes':
    case 'jwt':
      return async () => ({ role: auth.role, jwt: await tokenOf(auth, context) });
    case 'cert':
      return async () => (auth.name === undefined ? {} : { name: auth.name });
    case 'aws':
      return async (signal) => (await import('./aws-identity.ts')).awsLogin(auth, context, signal);
    case 'gcp':
      return async (signal) => (await import('./gcp-identity.ts')).gcpLogin(auth, context, signal);
  }
}

function appRoleBody({ role_id, secret_id }: Extract<LoginAuth, { method: 'approle' }>) {
  if (secret_id === undefined)
    throw refused('use wrapped_secret_id', 'it was stored without being unwrapped; give the credentials anew');
  return async () => ({ role_id, secret_id });
}

type TokenAuth = Extract<LoginAuth, { method: 'kubernetes' | 'jwt' }>;

async function tokenOf({ jwt, jwt_path: path }: TokenAuth, context: ConnectContext): Promise<string> {
  // The schema sees to it that one of the two is there.
  if (jwt !== undefined || path === undefined) return jwt ?? '';
  return readTokenFile(path, context);
}
