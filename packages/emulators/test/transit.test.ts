import { afterEach, beforeEach, expect, test } from 'vitest';
import { startVaultEmulator, type VaultEmulator } from '../src/index.ts';

let vault: VaultEmulator;

beforeEach(async () => {
  vault = await startVaultEmulator();
  vault.transit('transit').create('k');
});
afterEach(() => vault.close());

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function call(path: string, body?: object, { method = 'POST', token = vault.rootToken } = {}) {
  const response = await fetch(`${vault.url}/v1/transit/${path}`, {
    method,
    headers: { 'x-vault-token': token },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}

const encrypted = async (body: object = {}, name = 'k') =>
  (await call(`encrypt/${name}`, { plaintext: base64('value'), ...body })).body.data.ciphertext as string;

test('what is encrypted tells the key’s version, and is opened with the same associated data alone', async () => {
  const bound = { associated_data: base64('for this') };
  const ciphertext = await encrypted(bound);
  expect(ciphertext).toMatch(/^vault:v1:[A-Za-z0-9+/]+=*$/);
  expect((await call('decrypt/k', { ciphertext, ...bound })).body.data).toEqual({ plaintext: base64('value') });
  for (const other of [{}, { associated_data: base64('for that') }])
    expect(await call('decrypt/k', { ciphertext, ...other })).toEqual({
      status: 400,
      body: { errors: ['cipher: message authentication failed'] },
    });
});

test('a rotated key encrypts by its new version, and opens by all that are still allowed', async () => {
  const before = await encrypted();
  expect((await call('keys/k/rotate')).body.data).toMatchObject({ latest_version: 2 });
  expect(await encrypted()).toMatch(/^vault:v2:/);
  expect((await call('decrypt/k', { ciphertext: before })).status).toBe(200);
  expect((await call('keys/k/config', { min_decryption_version: 2 })).status).toBe(200);
  expect((await call('decrypt/k', { ciphertext: before })).body.errors).toEqual([
    'ciphertext or signature version is disallowed by policy (too old)',
  ]);
  expect((await call('keys/k/config', { min_decryption_version: 3 })).status).toBe(400);
});

test('a key that derives others needs a context, and one that doesn’t leaves it aside', async () => {
  expect((await call('keys/d', { derived: true })).body.data).toMatchObject({ derived: true });
  const ciphertext = await encrypted({ context: base64('one') }, 'd');
  expect((await call('decrypt/d', { ciphertext, context: base64('one') })).status).toBe(200);
  expect((await call('decrypt/d', { ciphertext, context: base64('two') })).status).toBe(400);
  expect((await call('decrypt/d', { ciphertext })).body.errors[0]).toMatch(/^missing 'context' for key derivation/);
  const plain = await encrypted({ context: base64('one') });
  expect((await call('decrypt/k', { ciphertext: plain })).status).toBe(200);
});

test.each([
  ['encrypt/k', {}, 'missing plaintext to encrypt'],
  ['encrypt/k', { plaintext: 'not base64' }, 'illegal base64 data at input byte 0'],
  ['decrypt/k', {}, 'missing ciphertext to decrypt'],
  ['decrypt/k', { ciphertext: 'x' }, 'invalid ciphertext: no prefix'],
  ['decrypt/k', { ciphertext: 'vault:v1' }, 'invalid ciphertext: wrong number of fields'],
  ['decrypt/k', { ciphertext: 'vault:vx:AAAA' }, 'invalid ciphertext: version number could not be decoded'],
  ['decrypt/k', { ciphertext: 'vault:v7:AAAA' }, 'invalid ciphertext: version is too new'],
  ['decrypt/none', { ciphertext: 'vault:v1:AAAA' }, 'encryption key not found'],
  ['keys/k', { type: 'rsa-2048' }, 'unknown key type rsa-2048'],
])('%s with %j is refused: %s', async (path, body, error) => {
  expect(await call(path, body)).toEqual({ status: 400, body: { errors: [error] } });
});

test('to encrypt by a name that has no key makes one, for which a policy has to allow `create`', async () => {
  vault.policies.write('use', { 'transit/+/+': ['update'] });
  const token = vault.tokens.create({ policies: ['use'] });
  const body = { plaintext: base64('value') };
  expect((await call('encrypt/k', body, { token })).status).toBe(200);
  expect((await call('encrypt/new', body, { token })).status).toBe(403);
  expect((await call('encrypt/new', body)).status).toBe(200);
  expect((await call('encrypt/new', body, { token })).status).toBe(200);
});

test('a key is deleted only where that is allowed', async () => {
  expect((await call('keys/k', undefined, { method: 'DELETE' })).status).toBe(400);
  await call('keys/k/config', { deletion_allowed: true });
  expect((await call('keys/k', undefined, { method: 'DELETE' })).status).toBe(204);
  expect((await call('keys/k', undefined, { method: 'GET' })).status).toBe(404);
});
