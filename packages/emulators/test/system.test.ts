import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { afterEach, expect, test } from 'vitest';
import { seedDemo, startVaultEmulator, type VaultEmulator, type VaultEmulatorOptions } from '../src/index.ts';
import { ask, manualClock } from './client.ts';

let emulator: VaultEmulator;

async function start(options: VaultEmulatorOptions = {}): Promise<VaultEmulator> {
  emulator = await startVaultEmulator(options);
  return emulator;
}

afterEach(() => emulator.close());

test('version 1 keeps the newest value, with its numbers, and lists', async () => {
  const kv = (await start()).mounts.enable('old', { type: 'kv', version: 1 });
  expect((await ask(emulator, 'old/app/key', { body: '{"n":12345678901234567890,"a":1}' })).status).toBe(204);
  const { text, body } = await ask(emulator, 'old/app/key');
  expect(text).toContain('"data":{"a":1,"n":12345678901234567890}');
  expect(body.lease_duration).toBe(2_764_800);
  expect((await ask(emulator, 'old/app?list=true')).body.data.keys).toEqual(['key']);
  expect((await ask(emulator, 'old/empty', { body: {} })).body.errors).toEqual(['missing data fields']);
  expect((await ask(emulator, 'old/a..b', { body: { a: 1 } })).body.errors).toEqual(['relative paths not supported']);
  expect((await ask(emulator, 'old/app/key', { method: 'DELETE' })).status).toBe(204);
  expect((await ask(emulator, 'old/app/key')).body).toEqual({ errors: [] });
  expect(kv.paths()).toEqual([]);
  const mount = await ask(emulator, 'sys/internal/ui/mounts/old/app/key');
  expect(mount.body.data).toMatchObject({ path: 'old/', options: { version: '1' } });
});

test('a sealed server tells so everywhere, and its health still answers', async () => {
  (await start()).mounts.enable('secret', { type: 'kv', version: 2 });
  emulator.seal();
  for (const path of ['secret/data/a', 'auth/token/lookup-self', 'sys/mounts', 'sys/internal/ui/mounts/secret']) {
    const { status, body } = await ask(emulator, path);
    expect([status, body]).toEqual([503, { errors: ['Vault is sealed'] }]);
  }
  expect((await ask(emulator, 'sys/health', { token: '' })).status).toBe(503);
  expect((await ask(emulator, 'sys/seal-status', { token: '' })).body).toMatchObject({
    sealed: true,
    initialized: true,
  });
  emulator.unseal();
  expect((await ask(emulator, 'secret/data/a')).status).toBe(404);
});

test('health has a status for each kind of node', async () => {
  await start();
  const expected = {
    active: 200,
    standby: 429,
    dr_secondary: 472,
    performance_standby: 473,
    uninitialized: 501,
  } as const;
  for (const [mode, status] of Object.entries(expected)) {
    emulator.setMode(mode as keyof typeof expected);
    const reply = await ask(emulator, 'sys/health', { token: '' });
    expect([mode, reply.status]).toEqual([mode, status]);
    expect(reply.body.version).toMatch(/^\d+\.\d+\.\d+$/);
  }
  emulator.setMode('standby');
  expect((await ask(emulator, 'sys/health?standbyok=true')).status).toBe(200);
  expect((await ask(emulator, 'sys/health?standbycode=299')).status).toBe(299);
});

test('a rate quota refuses within its second, with Retry-After only where it is set to send it', async () => {
  const clock = manualClock();
  await start({ now: clock.now });
  const status = async () => (await ask(emulator, 'sys/mounts')).status;
  emulator.setQuota({ rate: 2 });
  expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
  const refused = await ask(emulator, 'sys/mounts');
  expect(refused.body.errors).toEqual(['request path "sys/mounts": rate limit quota exceeded']);
  expect(refused.headers.get('retry-after')).toBeNull();
  clock.advance(1);
  expect(await status()).toBe(200);
  emulator.setQuota({ rate: 0, retryAfter: true });
  expect((await ask(emulator, 'sys/mounts')).headers.get('retry-after')).toBe('1');
});

test('the log counts requests and holds no values', async () => {
  const kv = (await start()).mounts.enable('secret', { type: 'kv', version: 2 });
  kv.put('a', { value: 'canary' });
  await ask(emulator, 'secret/data/a');
  await ask(emulator, 'secret/metadata/a');
  await ask(emulator, 'secret/metadata/?list=true');
  await ask(emulator, 'secret/data/b', { body: { data: { value: 'canary' } } });
  expect(emulator.requests.total).toBe(4);
  expect(emulator.requests.counts).toEqual({ data: 2, metadata: 1, list: 1 });
  expect(emulator.requests.all[0]).toEqual({
    ...{ method: 'GET', path: 'secret/data/a', operation: 'read', namespace: '', status: 200 },
  });
  expect(JSON.stringify(emulator.requests.all)).not.toMatch(new RegExp(`canary|${emulator.rootToken}`));
  emulator.requests.reset();
  expect([emulator.requests.total, emulator.requests.counts]).toEqual([0, {}]);
});

test('unknown system paths, methods and places are refused as such', async () => {
  await start();
  expect((await ask(emulator, 'sys/unknown')).status).toBe(404);
  expect((await ask(emulator, 'sys/mounts', { method: 'DELETE' })).status).toBe(405);
  expect((await fetch(`${emulator.url}/elsewhere`)).status).toBe(404);
});

test('over TLS it can demand a certificate of the client', async () => {
  const pem = (name: string) => readFileSync(new URL(`fixtures/${name}.pem`, import.meta.url), 'utf8');
  await start({ tls: { cert: pem('server'), key: pem('server-key'), clientCa: pem('ca') } });
  expect(emulator.url).toMatch(/^https:/);
  const status = (certificate: object) =>
    new Promise((resolve, reject) => {
      request(`${emulator.url}/v1/sys/health`, { ca: pem('ca'), ...certificate }, (message) => {
        message.resume();
        resolve(message.statusCode);
      })
        .on('error', reject)
        .end();
    });
  expect(await status({ cert: pem('client'), key: pem('client-key') })).toBe(200);
  await expect(status({})).rejects.toThrow();
});

test('the demo has a dozen keys below demo, one with an expiry and one with custom metadata', async () => {
  seedDemo(await start());
  const kv = emulator.kv('secret');
  expect(kv.paths()).toHaveLength(12);
  expect(kv.paths().every((path) => path.startsWith('demo/'))).toBe(true);
  expect(kv.get('demo/virtual-keys/team-support')?.customMetadata).toHaveProperty('owner');
  const short = await ask(emulator, 'secret/data/demo/contractors/short-lived');
  expect(short.body.data.metadata.deletion_time).not.toBe('');
});
