import { readFile } from 'node:fs/promises';
import { type KeyferryError, vaultFailure } from '@keyferry/core';
import type { ConnectContext } from '../contract.ts';
import type { VaultClient } from './client.ts';
import type { HashicorpAuth } from './config.ts';
import { type Answer, dataOf, failureOf, malformed } from './errors.ts';
import { isObject } from './json.ts';

/** What a login gives: the token, and for how long it is good (null: for ever). */
export interface Lease {
  token: string;
  seconds: number | null;
  renewable: boolean;
}

/** Makes the function that logs in by AppRole or Kubernetes. */
export function createLogin(
  auth: Exclude<HashicorpAuth, { method: 'token' }>,
  client: VaultClient,
  context: ConnectContext,
): (signal: AbortSignal) => Promise<Lease> {
  const what = `log in at auth/${auth.mount_path}`;
  const credentials =
    auth.method === 'approle' ? appRoleCredentials(auth, client, context) : () => jwtCredentials(auth);
  return async (signal) => {
    const json = await credentials(signal);
    const path = `auth/${auth.mount_path}/login`;
    return context.call('login', signal, async (attempt) => {
      const answer = await client.send({ method: 'POST', path, json, what, signal: attempt });
      return leaseOf(answer, what, context.now());
    });
  };
}

type AppRole = Extract<HashicorpAuth, { method: 'approle' }>;

/** A wrapped secret_id can be unwrapped once, so what was in it is kept for later logins. */
function appRoleCredentials(auth: AppRole, client: VaultClient, context: ConnectContext) {
  let secretId = auth.secret_id;
  return async (signal: AbortSignal) => {
    secretId ??= await unwrap(auth.wrapped_secret_id ?? '', client, context, signal);
    return { role_id: auth.role_id, secret_id: secretId };
  };
}

/** The wrapping token goes into the header alone: in the body as well it would be spent without an answer. */
async function unwrap(token: string, client: VaultClient, context: ConnectContext, signal: AbortSignal) {
  const what = 'unwrap wrapped_secret_id';
  return context.call('login', signal, async (attempt) => {
    const answer = await client.send({ method: 'POST', path: 'sys/wrapping/unwrap', token, what, signal: attempt });
    if (answer.status === 400 || answer.status === 403)
      throw refused(what, 'it was used before or has expired; issue a new one');
    const { secret_id: secretId } = dataOf(answer, what, context.now());
    if (typeof secretId !== 'string' || secretId === '') throw refused(what, 'what it wraps is not a secret_id');
    return secretId;
  });
}

/** Three parts of base64url: what is no such token is never sent, whatever file the path names. */
const jsonWebToken = /^[\w-]+\.[\w-]+\.[\w-]*$/;

async function jwtCredentials(auth: Extract<HashicorpAuth, { method: 'kubernetes' }>) {
  if (auth.jwt !== undefined) return { role: auth.role, jwt: auth.jwt };
  const what = `log in with the token in ${auth.jwt_path}`;
  const text = await readFile(auth.jwt_path, 'utf8').catch(() => {
    throw refused(what, 'the file cannot be read');
  });
  if (!jsonWebToken.test(text.trim())) throw refused(what, 'the file holds no JSON web token');
  return { role: auth.role, jwt: text.trim() };
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

function refused(what: string, why: string): KeyferryError {
  return vaultFailure('unauthenticated', `Could not ${what}: ${why}.`);
}
