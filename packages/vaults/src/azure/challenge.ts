import { type KeyferryError, vaultFailure } from '@keyferry/core';
import type { ConnectContext } from '../contract.ts';
import type { VaultClient } from './client.ts';
import { cloudOf } from './clouds.ts';
import type { AzureConfig } from './config.ts';
import { failureOf } from './errors.ts';
import type { HttpAnswer } from './transport.ts';

/** What a vault tells who comes without a token. */
export interface Challenge {
  /** Whom a token has to be for. */
  resource: string;
  /** The directory that the vault belongs to. */
  tenant: string;
}

const what = 'reach the vault';

/**
 * Asks without a token, and without a body. Rejects if the vault does not say what it should, or asks for a token that
 * is not for it.
 */
export async function learnChallenge(
  config: AzureConfig,
  client: VaultClient,
  context: ConnectContext,
  signal: AbortSignal,
): Promise<Challenge> {
  return context.call('login', signal, async (attempt) => {
    const answer = await client.send('GET', '/secrets', { what, signal: attempt });
    const challenge = challengeIn(answer);
    if (challenge === null) throw answer.status === 401 ? unclear() : failureOf(answer, what, context.now());
    checkResource(challenge, config);
    checkTenant(challenge, config);
    return challenge;
  });
}

function challengeIn({ status, headers }: HttpAnswer): Challenge | null {
  const header = headers['www-authenticate'] ?? '';
  if (status !== 401 || !/^Bearer /i.test(header)) return null;
  const parts = Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  const authority = parts.authorization ?? parts.authorization_uri ?? '';
  const resource = parts.resource ?? parts.scope?.replace(/\/\.default$/, '') ?? '';
  if (!URL.canParse(authority) || !URL.canParse(resource)) return null;
  const tenant = new URL(authority).pathname.split('/')[1] ?? '';
  return !/^[\w.-]{1,255}$/.test(tenant) ? null : { resource: resource.replace(/\/$/, ''), tenant };
}

/**
 * A token is good at every vault of its audience. Who gets hold of it can use it there: so one for all vaults of a cloud
 * goes to hosts of that cloud alone, and any other host gets tokens for itself alone.
 */
function checkResource({ resource }: Challenge, { vault_url }: AzureConfig): void {
  const vault = new URL(vault_url);
  const cloud = cloudOf(vault.hostname);
  const expected = cloud === null ? vault.origin : `https://${cloud.domain}`;
  if (new URL(resource).origin === expected && /^[^/]+:\/\/[^/]+$/.test(resource)) return;
  throw refused('it asks for a token that is for somebody else, which it must not get');
}

/** A directory may have the application of another one; but what it issues is good for its own vaults alone. */
function checkTenant({ tenant }: Challenge, { auth }: AzureConfig): void {
  if (!('tenant_id' in auth) || !isGuid(auth.tenant_id) || !isGuid(tenant)) return;
  if (auth.tenant_id.toLowerCase() === tenant.toLowerCase()) return;
  throw refused(`it belongs to the directory ${tenant}; set tenant_id to that`);
}

function isGuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

function unclear(): KeyferryError {
  return vaultFailure('invalid', `Could not ${what}: it does not say where to log in, as a vault does.`);
}

function refused(why: string): KeyferryError {
  return vaultFailure('unauthenticated', `Could not log in for the vault: ${why}.`);
}
