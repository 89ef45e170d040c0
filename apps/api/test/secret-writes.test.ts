import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi, token } from './support/test-api.ts';

/** Writing and deleting secrets over HTTP. Each test has paths of its own. */

const canary = 'canary-77aa-written';

let vault: VaultEmulator;
let api: TestApi;

beforeAll(async () => {
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  api = await startTestApi({ revokeToken: 'a-token-for-revoking-that-is-long' });
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  const through = { name: 'through', kind: 'hashicorp', config, access_mode: 'read_and_write', writes: true };
  expect((await api.call('POST', '/v1/federation/backends', through)).status).toBe(201);
  const local = { name: 'local', kind: 'hashicorp', config, prefix: 'local', writes: 'local' };
  expect((await api.call('POST', '/v1/federation/backends', local)).status).toBe(201);
});

afterAll(async () => {
  await api.close();
  await vault.close();
});

interface Sent {
  headers?: Record<string, string>;
  /** As it is, in place of JSON. */
  raw?: string;
  by?: string;
}

async function send(
  method: 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  { headers = {}, raw, by = token }: Sent = {},
) {
  const answer = await api.app.inject({
    method,
    url: `/v1/secrets/${path}`,
    headers: {
      authorization: `Bearer ${by}`,
      ...(raw !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(raw !== undefined ? { payload: raw } : body !== undefined ? { payload: body as object } : {}),
  });
  return { status: answer.statusCode, etag: answer.headers.etag, text: answer.payload, body: answer.json() };
}

const put = (path: string, value: string, sent?: Sent) => send('PUT', path, { value }, sent);

describe('PUT', () => {
  test('creates a secret in the vault, and tells its version without its value', async () => {
    const made = await put('bifrost/a', `${canary}-one`);
    expect(made).toMatchObject({ status: 201, etag: expect.stringMatching(/^"[-0-9a-f]{36}\.1"$/) });
    expect(made.body).toEqual({
      path: 'bifrost/a',
      version: 1,
      remote_version: '1',
      created: true,
      written_to: 'vault',
      owned: true,
    });
    const changed = await put('bifrost/a', `${canary}-two`, { headers: { 'if-match': String(made.etag) } });
    expect(changed).toMatchObject({ status: 200, body: { version: 2, created: false } });
    expect(made.text + changed.text).not.toContain(canary);
    expect(await put('bifrost/a', 'x', { headers: { 'if-match': String(made.etag) } })).toMatchObject({
      status: 412,
      body: { error: { code: 'precondition_failed' } },
    });
    expect(vault.kv('secret').get('bifrost/a')?.data).toBe(`{"value":"${canary}-two"}`);
  });

  test('stores a value here alone where the backend says so', async () => {
    const value = Buffer.from(`${canary}-bytes`).toString('base64');
    const made = await send('PUT', 'local/b', { value, encoding: 'base64' });
    expect(made).toMatchObject({ status: 201, body: { written_to: 'store', remote_version: null, owned: false } });
  });

  test('does the same request once', async () => {
    const headers = { 'idempotency-key': 'once' };
    const first = await put('bifrost/once', canary, { headers });
    expect(await put('bifrost/once', canary, { headers })).toEqual(first);
    expect(await put('bifrost/once', 'other', { headers })).toMatchObject({
      status: 422,
      body: { error: { code: 'idempotency_mismatch' } },
    });
    expect(
      await send('PUT', 'bifrost/once', { value: 'x' }, { headers: { 'idempotency-key': 'x'.repeat(256) } }),
    ).toMatchObject({ status: 400, body: { error: { code: 'request_invalid' } } });
  });

  test('takes a value of 2 MiB, and none larger', async () => {
    const largest = 'x'.repeat(2 * 1024 * 1024 - 12);
    expect(await put('local/largest', largest)).toMatchObject({ status: 201 });
    expect(await put('local/larger', `${largest}x`)).toMatchObject({
      status: 413,
      body: { error: { code: 'value_too_large' } },
    });
    expect(await put('local/huge', 'x'.repeat(10 * 1024 * 1024))).toMatchObject({
      status: 413,
      body: { error: { code: 'request_invalid', message: 'The body is larger than 4096 KiB.' } },
    });
  });

  test.each([
    ['..', 'bifrost%2F..%2Fa'],
    ['an empty segment', 'bifrost//a'],
    ['an empty segment, encoded', 'bifrost%2F%2Fa'],
    ['a leading slash', '%2Fbifrost/a'],
    ['nothing', ''],
    ['NUL', 'bifrost/a%00b'],
    ['a control character', 'bifrost/a%0Ab'],
    ['1,025 bytes', `bifrost/${'a'.repeat(1017)}`],
    ['bytes that are no UTF-8', 'bifrost/%FF'],
    ['half an escape', 'bifrost/%E0%A4'],
  ])('refuses %s as a path', async (_what, path) => {
    for (const method of ['PUT', 'DELETE'] as const) {
      const { status, body, text } = await send(method, path, method === 'PUT' ? { value: canary } : undefined);
      expect([status, body.error.code]).toEqual([400, 'request_invalid']);
      expect(text).not.toContain(canary);
    }
  });

  test.each([
    ['no body', undefined],
    ['null', 'null'],
    ['an array', `["${canary}"]`],
    ['a text', `"${canary}"`],
    ['no value', '{}'],
    ['a value that is no text', `{"value": {"a": "${canary}"}}`],
    ['a member that it has not', `{"value": "${canary}", "other": 1}`],
    ['an encoding that it knows not', `{"value": "${canary}", "encoding": "hex"}`],
    ['bad base64', `{"value": "${canary}!", "encoding": "base64"}`],
    ['half a character', `{"value": "${canary}\\ud800"}`],
    ['NUL', `{"value": "${canary}\\u0000"}`],
    ['broken JSON', `{"value": "${canary}`],
  ])('refuses %s as a body', async (_what, raw) => {
    const { status, body, text } = await send('PUT', 'bifrost/bad', undefined, raw === undefined ? {} : { raw });
    expect([status, body.error.code]).toEqual([400, 'request_invalid']);
    expect(text).not.toContain(canary);
    expect(await api.query("SELECT FROM keyferry.keys WHERE local_path = 'bifrost/bad'")).toEqual([]);
  });
});

describe('DELETE', () => {
  test('removes what was made, and says so once', async () => {
    await put('bifrost/gone', canary);
    expect(await send('DELETE', 'bifrost/gone')).toMatchObject({
      status: 200,
      body: { path: 'bifrost/gone', removed_from: 'vault' },
    });
    expect(await send('DELETE', 'bifrost/gone')).toMatchObject({
      status: 410,
      body: { error: { code: 'key_not_served' } },
    });
    expect(await send('DELETE', 'bifrost/never')).toMatchObject({
      status: 404,
      body: { error: { code: 'key_not_found' } },
    });
    expect(await send('DELETE', 'elsewhere/a')).toMatchObject({
      status: 404,
      body: { error: { code: 'path_unmapped' } },
    });
  });
});

test('writing needs the permission for it', async () => {
  const by = 'a-token-for-revoking-that-is-long';
  expect(await put('bifrost/forbidden', 'x', { by })).toMatchObject({
    status: 403,
    body: { error: { code: 'forbidden' } },
  });
  expect(await send('DELETE', 'bifrost/a', undefined, { by })).toMatchObject({ status: 403 });
  expect(await put('bifrost/forbidden', 'x', { by: 'nobody' })).toMatchObject({ status: 401 });
});

test('a value that was written is nowhere but encrypted', async () => {
  await put('bifrost/secret', `${canary}-nowhere`, { headers: { 'idempotency-key': 'nowhere' } });
  await put('local/secret', `${canary}-nowhere`);
  expect((await put('bifrost/secret.', `${canary}-refused`)).status).toBe(400);
  expect(api.lines.join('\n')).not.toContain(canary);
  for (const table of [
    'keys',
    'key_versions',
    'key_changes',
    'outbox',
    'audit_log',
    'idempotent_requests',
    'write_intents',
  ]) {
    const rows = await api.query(`SELECT t::text AS row FROM keyferry.${table} t`);
    const text = rows.map(({ row }) => row).join('\n');
    expect(text).not.toContain(canary);
    expect(text).not.toContain(Buffer.from(canary).toString('hex'));
  }
});
