import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { KeyferryError, type TransitPlace } from '@keyferry/core';
import { Agent, request } from 'undici';
import { type MasterKeyProvider, nameFingerprint, providerUnavailable, unwrapRefused } from './master-key-provider.ts';

/** For one call, in milliseconds. */
const deadlineMs = 5_000;
const mostBytes = 64 * 1024;
const inApi = /^\/v1\/(.+)\/keys\/([\w-][\w.-]*)$/;

/**
 * A key of the transit engine of HashiCorp Vault or OpenBao (https://developer.hashicorp.com/vault/api-docs/secret/transit).
 * What a data key is for is associated data, and the context of a key that derives others. A wrapped key is the engine's
 * ciphertext, which tells the version of its key: versions that were rotated out go on opening what they have wrapped.
 */
export function openTransitMasterKey(place: TransitPlace, variable: string): MasterKeyProvider {
  const { url, mount, name } = parsePlace(place, variable);
  const { token, tokenFile, namespace } = place;
  if (token === undefined && tokenFile === undefined)
    throw new KeyferryError('config_invalid', `${variable}_TOKEN or ${variable}_TOKEN_FILE has to be set.`);
  const agent = new Agent({
    connect: { timeout: deadlineMs, ...(place.caFile !== undefined && { ca: readCa(place.caFile, variable) }) },
    headersTimeout: deadlineMs,
    bodyTimeout: deadlineMs,
    maxResponseSize: mostBytes,
  });

  async function call(action: 'encrypt' | 'decrypt', body: object): Promise<Record<string, unknown>> {
    const headers = {
      'content-type': 'application/json',
      'x-vault-token': token ?? (await readToken(tokenFile ?? '')),
      ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
    };
    const target = `${url.origin}/v1/${mount}/${action}/${name}`;
    for (let attempt = 1; ; attempt++) {
      const { status, answer } = await post(target, headers, JSON.stringify(body)).catch(() => {
        return { status: 0, answer: null };
      });
      if (status === 200 && answer) return answer;
      if (attempt < 2 && isTransient(status)) continue;
      throw refusal(action, status);
    }
  }

  async function post(target: string, headers: Record<string, string>, body: string) {
    // Redirects are not followed: they would take the token, and a data key, elsewhere.
    const response = await request(target, {
      method: 'POST',
      headers,
      body,
      dispatcher: agent,
      signal: AbortSignal.timeout(deadlineMs),
    });
    const answer = (await response.body.json().catch(() => null)) as { data?: Record<string, unknown> } | null;
    return { status: response.statusCode, answer: answer?.data ?? null };
  }

  return {
    id: nameFingerprint('transit', [namespace ?? '', mount, name].join('\n')),
    kind: 'transit',
    async wrap(dataKey, associated) {
      const { ciphertext } = await call('encrypt', { plaintext: dataKey.toString('base64'), ...boundTo(associated) });
      if (typeof ciphertext !== 'string' || !/^vault:v\d+:/.test(ciphertext)) throw refusal('encrypt', 200);
      return Buffer.from(ciphertext);
    },
    async unwrap(wrapped, associated) {
      const { plaintext } = await call('decrypt', { ciphertext: wrapped.toString('utf8'), ...boundTo(associated) });
      if (typeof plaintext !== 'string') throw refusal('decrypt', 200);
      return Buffer.from(plaintext, 'base64');
    },
    close: () => agent.close(),
  };
}

function boundTo(associated: string) {
  const text = Buffer.from(associated).toString('base64');
  // A key that doesn't derive others leaves the context aside.
  return { associated_data: text, context: text };
}

function parsePlace({ url: text }: TransitPlace, variable: string) {
  const url = URL.canParse(text) ? new URL(text) : null;
  const found = url && inApi.exec(url.pathname);
  const plain = url && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!found || !plain || !['http:', 'https:'].includes(url.protocol))
    throw new KeyferryError(
      'config_invalid',
      `${variable} has to be a key's address in Vault's API, as https://vault.example:8200/v1/transit/keys/keyferry.`,
    );
  return { url, mount: found[1] ?? '', name: found[2] ?? '' };
}

function readCa(file: string, variable: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new KeyferryError('config_invalid', `The file ${file} of ${variable}_CA_FILE can't be read.`);
  }
}

async function readToken(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw providerUnavailable(`The file ${file} with the token for Vault's transit engine can't be read.`);
  });
  return text.trim();
}

/** Status 0 is no answer at all. */
const isTransient = (status: number) => status === 0 || status === 429 || status >= 500;

/** The engine's own words may repeat what it was sent. */
function refusal(action: 'encrypt' | 'decrypt', status: number): KeyferryError {
  if (action === 'decrypt' && status === 400) return unwrapRefused();
  if (status === 0) return providerUnavailable("Vault's transit engine did not answer.");
  if (status === 403) return providerUnavailable("Vault's transit engine refused the token, or what it may do.");
  if (status === 404) return providerUnavailable("Vault has no transit engine or key at the master key's address.");
  return providerUnavailable(`Vault's transit engine could not be used (HTTP status ${status}).`);
}
