import { randomUUID } from 'node:crypto';
import { rewrapEnd, rewrapLine } from '@keyferry/contracts';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { defaultTenantId } from '@keyferry/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestApi, type TestApi, token } from './support/test-api.ts';

/** Data keys and master keys over a real connection: a rewrap is streamed. */

const canary = 'canary-5c07-value';

let vault: VaultEmulator;
let api: TestApi;
let url: string;

beforeEach(async () => {
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  vault.kv('secret').seed(30, (index) => ({ path: `bifrost/k${index}`, data: { value: canary } }));
  api = await startTestApi();
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  await api.call('POST', '/v1/federation/backends', { name: 'main', kind: 'hashicorp', config });
  await api.call('POST', '/v1/federation/backends/main/sync');
  await api.work();
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  await api.close();
  await vault.close();
});

const rewrap = async (tenant?: string) => {
  const response = await fetch(`${url}/v1/encryption/rewrap`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...(tenant && { 'x-keyferry-tenant': tenant }) },
  });
  const text = await response.text();
  expect(response.status).toBe(200);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => rewrapLine.parse(JSON.parse(line)));
};

test('a data key is rotated and rewrapped while values are read, and who did it is audited', async () => {
  const reads: number[] = [];
  let reading = true;
  const reader = (async () => {
    while (reading) {
      api.secrets.forget(defaultTenantId, ['bifrost/k1']);
      reads.push((await api.call('GET', '/v1/secrets/bifrost/k1')).status);
    }
  })();
  const rotated = await api.call('POST', '/v1/encryption/rotate');
  expect(rotated).toMatchObject({ status: 200, body: { tenant_id: defaultTenantId, retired: expect.any(String) } });
  // The rewrap waits until the new key is used.
  const lines = await rewrap('default');
  reading = false;
  await reader;
  expect(rewrapEnd.parse(lines.at(-1)).summary).toEqual({
    tenants: 1,
    wrapped: 0,
    resealed: 31,
    failed: 0,
    destroyed: 0,
    retired: 1,
  });
  expect(new Set(reads)).toEqual(new Set([200]));
  const { body } = await api.call('GET', '/v1/encryption');
  expect(body).toMatchObject({
    master_keys: [{ kind: 'local', current: true, data_keys: 3 }],
    tenants_to_rewrap: 1,
    tenant_id: defaultTenantId,
  });
  const states = body.data_keys.map((key: Record<string, unknown>) => [key.purpose, key.state, key.ciphertexts]);
  expect(states).toEqual([
    ['data', 'retired', 0],
    ['data', 'current', null],
    ['digest', 'current', null],
  ]);
  const [audited] = await api.query(`SELECT * FROM keyferry.audit_log WHERE action = 'encryption.rotated'`);
  expect(audited).toMatchObject({ target: rotated.body.id, details: { retired: rotated.body.retired } });
  expect(JSON.stringify([lines, body, api.lines])).not.toContain(canary);
}, 60_000);

test('a rewrap that nothing needs ends at once, for all tenants and for one', async () => {
  const nothing = { wrapped: 0, resealed: 0, failed: 0, destroyed: 0, retired: 0 };
  expect(await rewrap()).toEqual([{ summary: { tenants: 0, ...nothing } }]);
  const one = { tenant_id: defaultTenantId, left: 0, ...nothing };
  expect(await rewrap(defaultTenantId)).toEqual([one, { summary: { tenants: 1, ...nothing } }]);
});

test('a rewrap ends with whoever asked for it, and what was done stays done', async () => {
  await api.call('POST', '/v1/encryption/rotate');
  const controller = new AbortController();
  const asking = fetch(`${url}/v1/encryption/rewrap`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    signal: controller.signal,
  });
  controller.abort();
  await expect(asking).rejects.toThrow();
  expect(rewrapEnd.parse((await rewrap()).at(-1)).summary).toMatchObject({ failed: 0, retired: 1 });
}, 60_000);

test.each([
  ['GET', '/v1/encryption'],
  ['POST', '/v1/encryption/rotate'],
  ['POST', '/v1/encryption/rewrap'],
] as const)('%s %s in the name of a tenant that isn’t there is refused', async (method, path) => {
  const headers = { 'x-keyferry-tenant': randomUUID() };
  const refused = { status: 404, body: { error: { code: 'tenant_not_found' } } };
  expect(await api.call(method, path, undefined, token, headers)).toMatchObject(refused);
});

test.each(['rotate', 'rewrap'])('a %s whose body names a tenant is refused, and is not one of all', async (act) => {
  const refused = { status: 400, body: { error: { code: 'request_invalid' } } };
  expect(await api.call('POST', `/v1/encryption/${act}`, { tenant: 'default' })).toMatchObject(refused);
});

test('who is no operator is refused', async () => {
  for (const [method, path] of [
    ['GET', '/v1/encryption'],
    ['POST', '/v1/encryption/rotate'],
    ['POST', '/v1/encryption/rewrap'],
  ] as const)
    expect((await api.call(method, path, undefined, 'another-token-than-the-one')).status).toBe(401);
});
