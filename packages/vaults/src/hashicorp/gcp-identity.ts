import { sign } from 'node:crypto';
import type { ConnectContext } from '../contract.ts';
import type { HashicorpAuth } from './auth-config.ts';
import { machineToken } from './gcp-machine.ts';
import { parseServiceAccount, type ServiceAccount } from './gcp-service-account.ts';

type GcpAuth = Extract<HashicorpAuth, { method: 'gcp' }>;

/** A vault's role takes 15 minutes at most, unless it is told otherwise. */
const lifetimeSeconds = 600;

/** What the vault's login of the method `gcp` takes: a JSON web token of a service account, made out to this role. */
export async function gcpLogin(auth: GcpAuth, context: ConnectContext, signal: AbortSignal): Promise<object> {
  const { role } = auth;
  if (auth.jwt !== undefined) return { role, jwt: auth.jwt };
  const account = auth.credentials_json === undefined ? null : parseServiceAccount(auth.credentials_json);
  if (account !== null) return { role, jwt: signToken(account, role, context.now()) };
  return { role, jwt: await context.call('login', signal, (attempt) => machineToken(role, attempt)) };
}

function signToken({ email, keyId, key }: ServiceAccount, role: string, now: number): string {
  const issuedAt = Math.floor(now / 1000);
  const head = { alg: 'RS256', typ: 'JWT', kid: keyId };
  const claims = { sub: email, aud: `vault/${role}`, iat: issuedAt, exp: issuedAt + lifetimeSeconds };
  const text = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}
