import { generateKeyPairSync } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { onTestFinished } from 'vitest';
import type { AzureEmulator, AzureEmulatorOptions } from '../src/index.ts';
import { startAzureEmulator } from '../src/index.ts';

export interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  body: any;
  headers: Record<string, string | string[] | undefined>;
}

export interface Asked {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Null: none at all. */
  token?: string | null;
}

/** An emulator that ends with the test, with one application that may do everything and a token of it. */
export async function startVault(options: AzureEmulatorOptions = {}) {
  const vault = await startAzureEmulator(options);
  onTestFinished(() => vault.close());
  const clientId = vault.applications.register();
  const clientSecret = vault.applications.addSecret(clientId);
  const token = await login(vault, { client_id: clientId, client_secret: clientSecret });
  const ask = (path: string, asked: Asked = {}) => askVault(vault, token, path, asked);
  return { vault, clientId, clientSecret, token, ask };
}

/** Asks the vault; `path` is below its address, encoded. An api-version is added unless the path has a query. */
export async function askVault(vault: AzureEmulator, token: string, path: string, asked: Asked = {}): Promise<Reply> {
  const { body, method = body === undefined ? 'GET' : 'PUT', token: own = token, headers = {} } = asked;
  const response = await fetch(`${vault.url}${path}${path.includes('?') ? '' : '?api-version=7.4'}`, {
    method,
    headers: {
      ...(own !== null && { authorization: `Bearer ${own}` }),
      'content-type': 'application/json',
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? null : JSON.parse(text),
    headers: Object.fromEntries(response.headers),
  };
}

/** The answer of the token endpoint to a form, which asks for what the vault wants unless it says otherwise. */
export function askForToken(vault: AzureEmulator, form: Record<string, string>): Promise<Reply> {
  const all = { grant_type: 'client_credentials', scope: `${vault.url}/.default`, ...form };
  return askAuthority(vault, `/${vault.tenantId}/oauth2/v2.0/token`, new URLSearchParams(all).toString());
}

export async function login(vault: AzureEmulator, form: Record<string, string>): Promise<string> {
  const { body } = await askForToken(vault, form);
  return body.access_token;
}

export function askAuthority(vault: AzureEmulator, path: string, form?: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(
      `${vault.authorityUrl}${path}`,
      {
        method: form === undefined ? 'GET' : 'POST',
        ca: vault.caCert,
        agent: false,
        headers: form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' },
      },
      (message) => {
        let text = '';
        message.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        message.on('end', () =>
          resolve({ status: message.statusCode ?? 0, body: JSON.parse(text), headers: message.headers }),
        );
      },
    );
    sent.on('error', reject).end(form);
  });
}

/** A clock that stands still until it is moved. */
export function manualClock(): { now: () => number; advance: (seconds: number) => void } {
  let time = Date.UTC(2026, 0, 1);
  return {
    now: () => time,
    advance: (seconds) => {
      time += seconds * 1000;
    },
  };
}

export const rsaKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
