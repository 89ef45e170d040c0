import { isObject, parseJson } from '@keyferry/core';
import { createEgressClient, type EgressClient } from '@keyferry/egress';
import type { KeySet, TokenIssuer } from '@keyferry/store';

/** Of one document. */
const maxBytes = 256 * 1024;

type Asked = Pick<TokenIssuer, 'issuer' | 'jwks_url' | 'ca_cert'>;

/**
 * An issuer's public keys, from where it says they are, or where its discovery document (OpenID Connect Discovery 1.0, 4)
 * says so. Rejects where they can't be had within the time, whatever the reason, in words for the log.
 */
export async function fetchKeys(egress: EgressClient, issuer: Asked, deadlineMs: number): Promise<KeySet> {
  const signal = AbortSignal.timeout(deadlineMs);
  const { policy, resolve } = egress;
  // An authority of the issuer's own is for this issuer alone, and so are its connections.
  const client = issuer.ca_cert === null ? egress : createEgressClient({ policy, resolve, ca: issuer.ca_cert });
  try {
    const url = issuer.jwks_url ?? (await discover(client, issuer.issuer, signal));
    return keysOf(await getJson(client, url, signal));
  } finally {
    if (client !== egress) await client.close();
  }
}

/** Where an issuer says that its keys are. What speaks for another issuer is not believed. */
async function discover(client: EgressClient, issuer: string, signal: AbortSignal): Promise<string> {
  const found = await getJson(client, `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, signal);
  if (found.issuer !== issuer) throw new Error('its discovery document is of another issuer');
  const url = found.jwks_uri;
  if (typeof url !== 'string' || !URL.canParse(url)) throw new Error('its discovery document names no keys');
  return url;
}

async function getJson(client: EgressClient, url: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const { status, body } = await client.get(url, { maxBytes, signal });
  if (status !== 200) throw new Error(`it answers with the status ${status}`);
  if (body === null) throw new Error(`it answers with more than ${maxBytes / 1024} KiB`);
  const parsed = parseJson(body.toString('utf8'));
  if (!isObject(parsed)) throw new Error('it does not answer with an object of JSON');
  return parsed;
}

function keysOf({ keys }: Record<string, unknown>): KeySet {
  if (!Array.isArray(keys)) throw new Error('it does not answer with a set of keys');
  return { keys: keys.filter(isObject) };
}
