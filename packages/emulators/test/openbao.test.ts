import { afterEach, beforeEach, expect, test } from 'vitest';
import { startVaultEmulator, type VaultEmulator } from '../src/index.ts';
import { ask } from './client.ts';

let emulator: VaultEmulator;

beforeEach(async () => {
  emulator = await startVaultEmulator({ flavour: 'openbao' });
  const kv = emulator.mounts.enable('secret', { type: 'kv', version: 2 });
  for (const path of ['a', 'b/x', 'b/y/z', 'c']) kv.put(path, { path });
});

afterEach(() => emulator.close());

test('a listing can be read in pages', async () => {
  const page = async (query: string) => (await ask(emulator, `secret/metadata/?list=true&${query}`)).body.data?.keys;
  expect(await page('limit=2')).toEqual(['a', 'b/']);
  expect(await page('limit=2&after=b/')).toEqual(['c']);
  expect(await page('after=aa')).toEqual(['b/', 'c']);
  expect(await page('after=c')).toBeUndefined();
});

test('a scan lists everything below', async () => {
  expect((await ask(emulator, 'secret/metadata?scan=true')).body.data.keys).toEqual(['a', 'c', 'b/x', 'b/y/z']);
  expect((await ask(emulator, 'secret/metadata/b?scan=true')).body.data.keys).toEqual(['x', 'y/z']);
});

test('detailed metadata shows for each key what reading its metadata would', async () => {
  const { body } = await ask(emulator, 'secret/detailed-metadata/?scan=true');
  expect(Object.keys(body.data.key_info)).toEqual(['a', 'b/x', 'b/y/z', 'c']);
  expect(body.data.key_info['b/x']).toEqual((await ask(emulator, 'secret/metadata/b/x')).body.data);
  const listed = await ask(emulator, 'secret/detailed-metadata/?list=true');
  expect(listed.body.data.keys).toEqual(['a', 'b/', 'c']);
  expect(listed.body.data.key_info['b/']).toEqual({});
  expect((await ask(emulator, 'secret/detailed-metadata/a')).status).toBe(405);
});

test('a scan needs a capability of its own', async () => {
  emulator.policies.write('lister', { 'secret/metadata/*': ['list', 'read'] });
  emulator.policies.write('scanner', { 'secret/metadata/*': ['scan'] });
  const lister = emulator.tokens.create({ policies: ['lister'] });
  const scanner = emulator.tokens.create({ policies: ['scanner'] });
  expect((await ask(emulator, 'secret/metadata/?scan=true', { token: lister })).status).toBe(403);
  expect((await ask(emulator, 'secret/metadata/?scan=true', { token: scanner })).status).toBe(200);
  expect((await ask(emulator, 'secret/metadata/?list=true', { token: scanner })).status).toBe(403);
});

test('an unknown token is refused in the same words as a forbidden path', async () => {
  const nobody = emulator.tokens.create({ policies: [] });
  const forbidden = await ask(emulator, 'secret/data/a', { token: nobody });
  const unknown = await ask(emulator, 'secret/data/a', { token: 's.unknown' });
  expect([unknown.status, unknown.body]).toEqual([forbidden.status, forbidden.body]);
});

test('its envelope names no mount type', async () => {
  expect((await ask(emulator, 'secret/data/a')).body).not.toHaveProperty('mount_type');
});
