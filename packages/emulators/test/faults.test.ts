import { afterEach, beforeEach, expect, test } from 'vitest';
import { startVaultEmulator, type VaultEmulator } from '../src/index.ts';
import { ask } from './client.ts';

let emulator: VaultEmulator;

beforeEach(async () => {
  emulator = await startVaultEmulator();
  emulator.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'one' });
});

afterEach(() => emulator.close());

const read = () => ask(emulator, 'secret/data/a');

test('a fault strikes what it matches, as often as it says', async () => {
  const body = { errors: ['busy'] };
  const headers = { 'retry-after': '3' };
  const handle = emulator.faults.inject({
    path: 'secret/data/*',
    method: 'GET',
    times: 2,
    effect: { kind: 'status', status: 429, body, headers },
  });
  expect((await ask(emulator, 'secret/metadata/a')).status).toBe(200);
  const struck = await read();
  expect([struck.status, struck.body, struck.headers.get('retry-after')]).toEqual([429, body, '3']);
  expect((await read()).status).toBe(429);
  expect((await read()).status).toBe(200);
  expect(handle.hits).toBe(2);
});

test('a fault can strike every n-th request, after some, by operation or by predicate', async () => {
  const effect = { kind: 'status', status: 500 } as const;
  const statuses = async () => [
    (await read()).status,
    (await read()).status,
    (await read()).status,
    (await read()).status,
  ];
  emulator.faults.inject({ operation: 'read', every: 2, effect });
  expect(await statuses()).toEqual([200, 500, 200, 500]);
  emulator.faults.clear();
  const later = emulator.faults.inject({ skip: 1, effect });
  expect(await statuses()).toEqual([200, 500, 500, 500]);
  later.remove();
  emulator.faults.inject({ when: (request) => request.operation === 'list', effect });
  expect(await statuses()).toEqual([200, 200, 200, 200]);
  expect((await ask(emulator, 'secret/metadata/?list=true')).status).toBe(500);
});

test('statuses come with HTML, a redirect or whatever is wanted', async () => {
  emulator.faults.inject({ times: 1, effect: { kind: 'status', status: 502, body: '<html>Bad Gateway</html>' } });
  const html = await read();
  expect([html.status, html.headers.get('content-type'), html.text]).toEqual([
    502,
    'text/html',
    '<html>Bad Gateway</html>',
  ]);
  const headers = { location: 'http://elsewhere.invalid/v1/secret/data/a' };
  emulator.faults.inject({ times: 1, effect: { kind: 'status', status: 307, headers } });
  const redirect = await read();
  expect([redirect.status, redirect.headers.get('location')]).toEqual([307, headers.location]);
});

test('garbage is a 200 that is not the protocol', async () => {
  emulator.faults.inject({ times: 1, effect: { kind: 'garbage' } });
  const plain = await read();
  expect(plain.status).toBe(200);
  expect(() => JSON.parse(plain.text)).toThrow();
  emulator.faults.inject({ times: 1, effect: { kind: 'garbage', body: '{"data":[]}' } });
  expect((await read()).body).toEqual({ data: [] });
});

test('a cut body is broken JSON of the right length, a truncated one ends too early', async () => {
  emulator.faults.inject({ times: 1, effect: { kind: 'cut' } });
  const response = await fetch(`${emulator.url}/v1/secret/data/a`, {
    headers: { 'x-vault-token': emulator.rootToken },
  });
  const text = await response.text();
  expect(response.headers.get('content-length')).toBe(String(text.length));
  expect(() => JSON.parse(text)).toThrow();
  emulator.faults.inject({ times: 1, effect: { kind: 'truncate' } });
  await expect(read()).rejects.toThrow();
});

test('a connection can be reset before the answer and within it', async () => {
  for (const kind of ['reset', 'reset_in_body'] as const) {
    emulator.faults.inject({ times: 1, effect: { kind } });
    await expect(read()).rejects.toThrow();
  }
  expect((await read()).status).toBe(200);
});

test('closing ends requests that hang before or within their answer', async () => {
  for (const kind of ['hang', 'hang_in_body'] as const) emulator.faults.inject({ times: 1, effect: { kind } });
  const hanging = [read(), read()].map((request) => request.then(String, () => 'ended'));
  await expect.poll(() => emulator.requests.total).toBe(2);
  await emulator.close();
  expect(await Promise.all(hanging)).toEqual(['ended', 'ended']);
});

test('a slow request is answered properly, after others that came later', async () => {
  emulator.faults.inject({ operation: 'read', effect: { kind: 'slow', delayMs: 100 } });
  const order: string[] = [];
  const slow = read().then(({ status }) => order.push(`slow ${status}`));
  const quick = ask(emulator, 'secret/metadata/?list=true').then(({ status }) => order.push(`quick ${status}`));
  await Promise.all([slow, quick]);
  expect(order).toEqual(['quick 200', 'slow 200']);
});
