import { type KeyferryError, vaultFailure } from '@keyferry/core';
import type { ConnectContext } from '../contract.ts';
import type { VaultClient } from './client.ts';
import type { HashicorpAuth } from './config.ts';
import { type Answer, failureOf, malformed } from './errors.ts';
import { isObject } from './json.ts';

/** What a login gives: the token, and for how long it is good (null: for ever). */
export interface Lease {
  token: string;
  seconds: number | null;
  renewable: boolean;
}

/** Makes the function that logs in by AppRole or Kubernetes. Throws if there is nothing lasting to log in with. */
export function createLogin(
  auth: Exclude<HashicorpAuth, { method: 'token' }>,
  client: VaultClient,
  context: ConnectContext,
): (signal: AbortSignal) => Promise<Lease> {
  const what = `log in at auth/${auth.mount_path}`;
  const credentials = auth.method === 'approle' ? appRoleCredentials(auth) : () => jwtCredentials(auth, context);
  return async (signal) => {
    const json = await credentials();
    const path = `auth/${auth.mount_path}/login`;
    return context.call('login', signal, async (attempt) => {
      const answer = await client.send({ method: 'POST', path, json, what, signal: attempt });
      return leaseOf(answer, what, context.now());
    });
  };
}

type AppRole = Extract<HashicorpAuth, { method: 'approle' }>;
type Kubernetes = Extract<HashicorpAuth, { method: 'kubernetes' }>;

function appRoleCredentials(auth: AppRole) {
  const { role_id, secret_id } = auth;
  if (secret_id === undefined)
    throw refused('use wrapped_secret_id', 'it was stored without being unwrapped; give the credentials anew');
  return async () => ({ role_id, secret_id });
}

/** Three parts of base64url: what is no such token is never sent, whatever file the path names. */
const jsonWebToken = /^[\w-]+\.[\w-]+\.[\w-]*$/;

async function jwtCredentials(auth: Kubernetes, context: ConnectContext) {
  if (auth.jwt !== undefined) return { role: auth.role, jwt: auth.jwt };
  const text = (await context.readAllowedFile(auth.jwt_path)).trim();
  if (!jsonWebToken.test(text))
    throw refused(`log in with the token in ${auth.jwt_path}`, 'the file holds no JSON web token');
  return { role: auth.role, jwt: text };
}

/** The lease in the answer to a login or a renewal. */
export function leaseOf(answer: Answer, what: string, now: number): Lease {
  if (answer.status === 404) throw refused(what, 'no auth method is mounted there; check mount_path and namespace');
  // Vault answers 400 to a wrong role_id or secret_id, and 403 to a wrong role or service account.
  if (answer.status === 400 || answer.status === 403)
    throw refused(what, `the vault refuses the credentials (${answer.status})`);
  if (answer.status !== 200) throw failureOf(answer, what, now);
  const auth = isObject(answer.body) ? answer.body.auth : undefined;
  if (!isObject(auth)) throw malformed(what);
  const { client_token: token, lease_duration: seconds, renewable } = auth;
  if (typeof token !== 'string' || token === '' || typeof seconds !== 'number') throw malformed(what);
  return { token, seconds: seconds > 0 ? seconds : null, renewable: renewable === true };
}

export function refused(what: string, why: string): KeyferryError {
  return vaultFailure('unauthenticated', `Could not ${what}: ${why}.`);
}
