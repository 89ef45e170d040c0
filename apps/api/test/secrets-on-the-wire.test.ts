import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { errorAnswer } from '@keyferry/contracts';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi, token } from './support/test-api.ts';

/** Requests for values as a socket brings them: nothing on our side of it tidies addresses, headers or bodies. */

const canary = 'canary-e1b4-wire';
const revokeToken = 'a-token-for-revoking-that-is-long';

let vault: VaultEmulator;
let api: TestApi;
let port: number;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeAll(async () => {
  vault = await startVaultEmulator();
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  kv.put('bifrost/one', { value: canary });
  kv.put('proxied/one', { value: canary });
  api = await startTestApi({ revokeToken });
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  const main = { name: 'main', kind: 'hashicorp', config, access_mode: 'read_and_write', writes: true };
  const through = { name: 'through', kind: 'hashicorp', config, mode: 'proxy', sync_paths: ['proxied/*'] };
  for (const backend of [main, through])
    expect((await api.call('POST', '/v1/federation/backends', backend)).status).toBe(201);
  await api.call('POST', '/v1/federation/backends/main/sync');
  await api.work();
  port = Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
});

afterAll(async () => {
  agent.destroy();
  await api.close();
  await vault.close();
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

function send(
  method: string,
  path: string,
  { headers = {}, body, by = token }: { headers?: Record<string, string>; body?: string; by?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, method, path, agent, headers: { authorization: `Bearer ${by}`, ...headers } },
      (answer) => {
        let text = '';
        answer.on('data', (bytes) => {
          text += bytes;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const codeOf = ({ text }: Answer) => errorAnswer.strict().parse(JSON.parse(text)).error.code;

describe('an address', () => {
  test.each([
    ['two dots', '/v1/secrets/bifrost/../one'],
    ['two dots, encoded', '/v1/secrets/bifrost/%2e%2e/one'],
    ['two dots and a slash, encoded', '/v1/secrets/bifrost/%2e%2e%2fone'],
    ['two dots that lead out of it', '/v1/secrets/..%2f..%2ffederation%2fbackends'],
    ['a dot', '/v1/secrets/bifrost/./one'],
    ['a slash at its end', '/v1/secrets/bifrost/one/'],
    ['NUL', '/v1/secrets/bifrost/%00'],
    ['half a surrogate pair', '/v1/secrets/bifrost/%ED%A0%80'],
    ['a slash that is written too long', '/v1/secrets/bifrost%C0%AFone'],
    ['1,025 bytes', `/v1/secrets/${'%C3%A9'.repeat(512)}x`],
    ['no path', '/v1/secrets/'],
  ])('with %s is refused, whatever is asked for', async (_what, path) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await send(method, path, method === 'PUT' ? { headers: json, body: `{"value":"${canary}"}` } : {});
      expect([method, answer.status, codeOf(answer)]).toEqual([method, 400, 'request_invalid']);
      expect(answer.text).not.toContain(canary);
    }
  });

  test('is decoded once', async () => {
    for (const path of ['bifrost%252Fone', 'bifrost/%252e%252e', 'bifrost/on%2565'])
      expect((await send('GET', `/v1/secrets/${path}`)).status).toBe(404);
    expect((await send('GET', '/v1/secrets/bifrost%2Fone')).status).toBe(200);
  });

  test('of 1,024 bytes is taken', async () => {
    const answer = await send('GET', `/v1/secrets/bifrost/${'%C3%A9'.repeat(508)}`);
    expect([answer.status, codeOf(answer)]).toEqual([404, 'key_not_found']);
  });
});

describe('a body', () => {
  test.each([
    ['of another type', 415, { 'content-type': 'text/plain' }, canary],
    ['of a form', 415, { 'content-type': 'application/x-www-form-urlencoded' }, `value=${canary}`],
    ['of 10 MB', 413, json, `{"value":"${canary.repeat(640 * 1024)}"}`],
    ['of 10 MB that doesn’t say so', 413, { ...json, 'transfer-encoding': 'chunked' }, canary.repeat(640 * 1024)],
    ['with a prototype', 400, json, `{"value":"${canary}","__proto__":{"encoding":"base64"}}`],
    ['with an escaped prototype', 400, json, `{"value":"${canary}","\\u005f_proto__":{"a":1}}`],
    ['with a constructor’s prototype', 400, json, `{"value":"${canary}","constructor":{"prototype":{"a":1}}}`],
  ])('%s is refused with %i', async (_what, status, headers, body) => {
    const answer = await send('PUT', '/v1/secrets/bifrost/refused', { headers, body });
    expect([answer.status, codeOf(answer)]).toEqual([status, 'request_invalid']);
    expect(answer.text).not.toContain(canary);
    expect({}).not.toHaveProperty('a');
  });

  test('that comes with a read is not looked at, nor taken for the next request', async () => {
    const body = 'GET /v1/secrets/bifrost/other HTTP/1.1\r\n\r\n';
    const headers = { ...json, 'content-length': String(body.length) };
    expect((await send('GET', '/v1/secrets/bifrost/one', { headers, body })).status).toBe(200);
    expect(JSON.parse((await send('GET', '/v1/secrets/bifrost/one')).text).path).toBe('bifrost/one');
  });
});

describe('headers', () => {
  test.each([
    ['an Idempotency-Key of 256 characters', { 'idempotency-key': 'x'.repeat(256) }, 400],
    ['an empty Idempotency-Key', { 'idempotency-key': '' }, 400],
    ['a long If-Match', { 'if-match': `"${'x'.repeat(8_192)}"` }, 400],
    ['an If-Match that names nothing', { 'if-match': '' }, 412],
    ['an If-Match of many', { 'if-match': '"a",'.repeat(2_000) }, 412],
  ])('with %s a write is refused', async (_what, headers, status) => {
    const answer = await send('PUT', '/v1/secrets/bifrost/one', {
      headers: { ...json, ...headers },
      body: `{"value":"other"}`,
    });
    expect([answer.status, codeOf(answer)]).toEqual([
      status,
      status === 412 ? 'precondition_failed' : 'request_invalid',
    ]);
  });

  test('beyond what a server reads are refused in the same shape', async () => {
    const answer = await send('GET', '/v1/secrets/bifrost/one', { headers: { 'if-none-match': 'x'.repeat(20_000) } });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'request_invalid']);
  });
});

describe('a value', () => {
  test.each(['bifrost/one', 'proxied/one'])('of %s is asked about by HEAD, and not sent', async (path) => {
    const got = await send('GET', `/v1/secrets/${path}`);
    const asked = await send('HEAD', `/v1/secrets/${path}`);
    expect([asked.status, asked.text]).toEqual([200, '']);
    expect(asked.headers).toMatchObject({ etag: got.headers.etag, 'cache-control': 'no-store' });
    expect((await send('HEAD', `/v1/secrets/${path}`, { by: revokeToken })).status).toBe(403);
  });

  test('is named by what tells nothing of it, and by another name in another installation', async () => {
    const { headers } = await send('GET', '/v1/secrets/proxied/one');
    await using other = await anotherInstallation();
    const theirs = await other.call('GET', '/v1/secrets/proxied/one');
    expect(theirs.status).toBe(200);
    const [digest, theirDigest] = [headers.etag, theirs.headers.etag].map((etag) => String(etag).split('.')[1]);
    expect(digest).toMatch(/^[0-9a-f]{32}"$/);
    expect(digest).not.toBe(theirDigest);
  });

  test('is for no cache on the way, nor is any other answer', async () => {
    for (const path of [
      '/v1/secrets/bifrost/one',
      '/v1/secrets/proxied/one',
      '/v1/secrets',
      '/v1/secrets/nowhere',
      '/v1/keys',
    ])
      expect((await send('GET', path)).headers['cache-control']).toBe('no-store');
    const headers = { 'if-none-match': '*' };
    expect(await send('GET', '/v1/secrets/bifrost/one', { headers })).toMatchObject({
      status: 304,
      text: '',
      headers: { 'cache-control': 'no-store' },
    });
  });
});

async function anotherInstallation(): Promise<TestApi & AsyncDisposable> {
  const other = await startTestApi();
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  const through = { name: 'through', kind: 'hashicorp', config, mode: 'proxy', sync_paths: ['proxied/*'] };
  expect((await other.call('POST', '/v1/federation/backends', through)).status).toBe(201);
  return { ...other, [Symbol.asyncDispose]: () => other.close() };
}

test('a token that may only revoke opens no route that changes anything else, and none with values', async () => {
  const document = (await api.app.inject({ url: '/openapi.json' })).json();
  const opened: string[] = [];
  for (const [path, byMethod] of Object.entries<Record<string, unknown>>(document.paths))
    for (const method of Object.keys(byMethod)) {
      const url = path.replace(/\{[^}]+\}/g, '00000000-0000-4000-8000-000000000000');
      if (method === 'get' && path !== '/v1/secrets/{path}') continue;
      const body = method === 'get' || method === 'delete' ? {} : { headers: json, body: '{}' };
      const answer = await send(method.toUpperCase(), url, { by: revokeToken, ...body });
      if (answer.status !== 403) opened.push(`${method} ${path}`);
      else expect(codeOf(answer)).toBe('forbidden');
    }
  expect(opened.sort()).toEqual(['post /v1/keys/revoke', 'post /v1/keys/unrevoke']);
});
