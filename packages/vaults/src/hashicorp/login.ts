import { isObject } from '../common/json.ts';
import type { ConnectContext } from '../contract.ts';
import type { VaultClient } from './client.ts';
import { type Answer, failureOf, malformed, refused } from './errors.ts';
import { type LoginAuth, loginBody } from './login-body.ts';

/** What a login gives: the token, and for how long it is good (null: for ever). */
export interface Lease {
  token: string;
  seconds: number | null;
  renewable: boolean;
}

/** Makes the function that logs in. Throws if there is nothing lasting to log in with. */
export function createLogin(
  auth: LoginAuth,
  client: VaultClient,
  context: ConnectContext,
): (signal: AbortSignal) => Promise<Lease> {
  const what = `log in at auth/${auth.mount_path}`;
  const body = loginBody(auth, context);
  return async (signal) => {
    const json = await body(signal);
    const path = `auth/${auth.mount_path}/login`;
    return context.call('login', signal, async (attempt) => {
      const answer = await client.send({ method: 'POST', path, json, what, signal: attempt });
      return leaseOf(answer, what, context.now());
    });
  };
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
