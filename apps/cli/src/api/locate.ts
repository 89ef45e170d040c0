import { readFileSync } from 'node:fs';
import { tenantHeader } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { type Home, homeOf, type Running, readHomeFile } from '../home.ts';
import { trustAuthority } from './trust-authority.ts';

/** Where the API is, and what opens it. */
export interface Place {
  url: string;
  token: string;
  /** The tenant that requests are for, where it isn't the token's own. */
  tenant?: string | undefined;
}

/** What names the tenant of a request. Throws `tenant_not_found` for a name that no tenant and no header can have. */
export function tenantHeaders(tenant: string | undefined): Record<string, string> {
  if (tenant === undefined) return {};
  if (!/^[\x21-\x7e]+$/.test(tenant)) throw new KeyferryError('tenant_not_found', `There is no tenant "${tenant}".`);
  return { [tenantHeader]: tenant };
}

/**
 * The API that KEYFERRY_URL and KEYFERRY_TOKEN name, else the one that `keyferry up` runs in this folder. The token of that
 * one is never sent anywhere else. Throws `usage_invalid`, `api_unavailable` or `unauthorized`.
 */
export function locate(env: NodeJS.ProcessEnv): Place {
  const tenant = env.KEYFERRY_TENANT || undefined;
  const home = homeOf(env);
  if (env.KEYFERRY_CA_FILE) trustAuthority(env.KEYFERRY_CA_FILE);
  if (env.KEYFERRY_URL) return { url: checkedUrl(env.KEYFERRY_URL), token: env.KEYFERRY_TOKEN || noToken(), tenant };
  const running = readHomeFile<Running>(home.running);
  if (!running)
    throw new KeyferryError('api_unavailable', `No Keyferry runs in ${home.folder}, and KEYFERRY_URL is not set.`);
  return { url: running.api_url, token: env.KEYFERRY_TOKEN || readToken(home), tenant };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search)
    throw new KeyferryError('usage_invalid', 'KEYFERRY_URL has to be a URL such as https://keyferry.example.com.');
  return text;
}

function noToken(): never {
  throw new KeyferryError('unauthorized', 'KEYFERRY_URL is set, but KEYFERRY_TOKEN is not.');
}

export function readToken(home: Home): string {
  try {
    return readFileSync(home.apiToken, 'utf8').trim();
  } catch {
    throw new KeyferryError(
      'unauthorized',
      `The token in ${home.apiToken} can't be read: be the user who started Keyferry, or set KEYFERRY_TOKEN.`,
    );
  }
}
