import { createPrivateKey } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { signJwt } from '../src/gcp/jwt.ts';
import { type GcpEmulator, type GcpEmulatorOptions, startGcpEmulator } from '../src/index.ts';
import { manualClock } from './client.ts';

export interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  body: any;
  headers: Headers;
}

export interface GcpBench {
  gcp: GcpEmulator;
  clock: ReturnType<typeof manualClock>;
  /** Calls Secret Manager below `/v1/projects/<the project>`, as the owner unless told otherwise. */
  ask(path: string, asked?: Asked): Promise<Reply>;
  /** What the token endpoint answers to an assertion of the owner, with other claims. */
  grant(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<Reply>;
}

interface Asked {
  method?: string;
  body?: unknown;
  token?: string;
  headers?: Record<string, string>;
}

export async function startBench(options: GcpEmulatorOptions = {}): Promise<GcpBench> {
  const clock = manualClock();
  const gcp = await startGcpEmulator({ now: clock.now, ...options });
  onTestFinished(() => gcp.close());
  const grant = (claims = {}, header = {}) =>
    postForm(`${gcp.url}/token`, assertionOf(gcp, clock.now(), claims, header));
  let token: string | undefined;
  return {
    gcp,
    clock,
    grant,
    async ask(path, { method, body, headers, ...asked } = {}) {
      token ??= (await grant()).body.access_token as string;
      const bearer = asked.token ?? token;
      return send(`${gcp.url}/v1/projects/${gcp.projectId}${path}`, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: { ...(bearer === '' ? {} : { authorization: `Bearer ${bearer}` }), ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
    },
  };
}

/** A token that the owner has signed. */
export function signedByOwner(gcp: GcpEmulator, claims: object, header: object = {}): string {
  const { private_key, private_key_id } = JSON.parse(gcp.identities.keyFile(gcp.owner));
  return signJwt({ kid: private_key_id, ...header }, { ...claims }, createPrivateKey(private_key));
}

function assertionOf(gcp: GcpEmulator, now: number, claims: object, header: object): Record<string, string> {
  const iat = Math.floor(now / 1000);
  const scope = 'https://www.googleapis.com/auth/cloud-platform';
  const usual = { iss: gcp.owner, aud: `${gcp.url}/token`, scope, iat, exp: iat + 3_600 };
  return {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: signedByOwner(gcp, { ...usual, ...claims }, header),
  };
}

export function postForm(url: string, fields: Record<string, string>): Promise<Reply> {
  return send(url, { method: 'POST', body: new URLSearchParams(fields) });
}

export async function send(url: string, init: RequestInit): Promise<Reply> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

export const payload = (text: string) => ({ payload: { data: Buffer.from(text).toString('base64') } });
