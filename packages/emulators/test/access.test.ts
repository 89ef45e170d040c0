import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startVaultEmulator, type VaultEmulator } from '../src/index.ts';
import { ask, manualClock } from './client.ts';

const clock = manualClock();
const denied = { errors: ['1 error occurred:\n\t* permission denied\n\n'] };
const invalid = { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] };
let emulator: VaultEmulator;

beforeEach(async () => {
  emulator = await startVaultEmulator({ now: clock.now });
  const kv = emulator.mounts.enable('secret', { type: 'kv', version: 2 });
  for (const path of ['app/a', 'app/b', 'other/c']) kv.put(path, { path });
});

afterEach(() => emulator.close());

describe('tokens', () => {
  test('without a token, with an unknown one and with one that may not, the refusals differ', async () => {
    const nobody = emulator.tokens.create({ policies: ['none'] });
    expect((await ask(emulator, 'secret/data/app/a', { token: '' })).body).toEqual({ errors: ['permission denied'] });
    expect((await ask(emulator, 'secret/data/app/a', { token: 'hvs.unknown' })).body).toEqual(invalid);
    const forbidden = await ask(emulator, 'secret/data/app/a', { token: nobody });
    expect([forbidden.status, forbidden.body]).toEqual([403, denied]);
  });

  test('a token expires, unless it is renewed, and never beyond its maximum', async () => {
    const token = emulator.tokens.create({ policies: [], ttlSeconds: 100, maxTtlSeconds: 150 });
    const lookup = () => ask(emulator, 'auth/token/lookup-self', { token });
    expect((await lookup()).body.data).toMatchObject({ id: token, ttl: 100, creation_ttl: 100, renewable: true });
    clock.advance(60);
    const renewed = await ask(emulator, 'auth/token/renew-self', { token, body: { increment: 80 } });
    expect(renewed.body.auth).toMatchObject({ client_token: token, lease_duration: 80, renewable: true });
    const capped = await ask(emulator, 'auth/token/renew-self', { token, body: {} });
    expect(capped.body.auth.lease_duration).toBe(90);
    expect(capped.body.warnings[0]).toContain('exceeded the effective max_ttl');
    clock.advance(90);
    expect((await lookup()).body).toEqual(invalid);
  });

  test('batch tokens and tokens made so can not be renewed', async () => {
    const batch = emulator.tokens.create({ policies: [], type: 'batch', ttlSeconds: 100 });
    const fixed = emulator.tokens.create({ policies: [], renewable: false, ttlSeconds: 100 });
    const renew = (token: string) => ask(emulator, 'auth/token/renew-self', { token, body: {} });
    expect((await renew(batch)).body.errors).toEqual(['batch tokens cannot be renewed']);
    expect((await renew(fixed)).body.errors).toEqual(['lease is not renewable']);
    const revoked = await ask(emulator, 'auth/token/revoke-self', { token: batch, body: {} });
    expect(revoked.body.errors).toEqual(['batch tokens cannot be revoked']);
  });

  test('a token that revokes itself is unknown from then on', async () => {
    const token = emulator.tokens.create({ policies: [] });
    expect((await ask(emulator, 'auth/token/revoke-self', { token, body: {} })).status).toBe(204);
    expect((await ask(emulator, 'auth/token/lookup-self', { token })).body).toEqual(invalid);
  });

  test('limited uses are spent by every request, refused ones too', async () => {
    const token = emulator.tokens.create({ policies: [], numUses: 2 });
    expect((await ask(emulator, 'secret/data/app/a', { token })).body).toEqual(denied);
    expect((await ask(emulator, 'auth/token/lookup-self', { token })).status).toBe(200);
    expect((await ask(emulator, 'auth/token/lookup-self', { token })).body).toEqual(invalid);
  });

  test('a token creates others with no more than its own policies', async () => {
    emulator.policies.write('creator', { 'auth/token/create': ['update'] });
    const token = emulator.tokens.create({ policies: ['creator'] });
    const made = await ask(emulator, 'auth/token/create', { token, body: { ttl: '1h', num_uses: 3 } });
    expect(made.body.auth).toMatchObject({ policies: ['creator', 'default'], lease_duration: 3600, num_uses: 3 });
    const refused = await ask(emulator, 'auth/token/create', { token, body: { policies: ['root'] } });
    expect(refused.body.errors).toEqual(['child policies must be subset of parent']);
  });
});

describe('policies', () => {
  test('data and metadata are granted apart', async () => {
    emulator.policies.write('reader', { 'secret/data/app/*': ['read'], 'secret/metadata/other': ['list'] });
    const token = emulator.tokens.create({ policies: ['reader'] });
    const status = async (path: string) => (await ask(emulator, path, { token })).status;
    expect(await status('secret/data/app/a')).toBe(200);
    expect(await status('secret/metadata/app/a')).toBe(403);
    expect(await status('secret/metadata/app?list=true')).toBe(403);
    expect(await status('secret/metadata/other?list=true')).toBe(200);
    expect(await status('secret/data/none')).toBe(403);
    expect(await status('secret/data/app/none')).toBe(404);
  });

  test('the most specific rule decides, and deny wins', async () => {
    emulator.policies.write('one', {
      'secret/*': ['read'],
      'secret/data/app/b': ['deny'],
      'secret/+/other/c': ['list'],
    });
    emulator.policies.write('two', { 'secret/data/app/b': ['read'], 'secret/data/o*': ['read'] });
    const token = emulator.tokens.create({ policies: ['one', 'two'] });
    const status = async (path: string) => (await ask(emulator, path, { token })).status;
    expect(await status('secret/data/app/a')).toBe(200);
    expect(await status('secret/data/app/b')).toBe(403);
    // `secret/data/o*` has its wildcard further right than `secret/+/...`.
    expect(await status('secret/data/other/c')).toBe(200);
    expect(await status('secret/metadata/other/c')).toBe(403);
  });

  test('a first write needs create, a later one update', async () => {
    emulator.policies.write('creator', { 'secret/data/*': ['create'] });
    const token = emulator.tokens.create({ policies: ['creator'] });
    const write = () => ask(emulator, 'secret/data/app/new', { token, body: { data: {} } });
    expect((await write()).status).toBe(200);
    expect((await write()).status).toBe(403);
  });

  test('a changed policy holds for tokens that exist', async () => {
    const token = emulator.tokens.create({ policies: ['late'] });
    const status = async () => (await ask(emulator, 'secret/data/app/a', { token })).status;
    expect(await status()).toBe(403);
    emulator.policies.write('late', { 'secret/data/*': ['read'] });
    expect(await status()).toBe(200);
  });
});

describe('mounts', () => {
  test('a missing mount is told to who may look, and refused to others', async () => {
    emulator.policies.write('wide', { 'gone/*': ['read'] });
    const allowed = emulator.tokens.create({ policies: ['wide'] });
    const other = emulator.tokens.create({ policies: [] });
    const seen = await ask(emulator, 'gone/data/a', { token: allowed });
    expect(seen.status).toBe(404);
    expect(seen.body.errors).toEqual(['no handler for route "gone/data/a". route entry not found.']);
    expect((await ask(emulator, 'gone/data/a', { token: other })).status).toBe(403);
  });

  test('a mount shows itself to a token that may do anything below it', async () => {
    emulator.policies.write('deep', { 'secret/metadata/+/x': ['read'] });
    const deep = emulator.tokens.create({ policies: ['deep'] });
    const none = emulator.tokens.create({ policies: [] });
    const mount = (path: string, token: string) => ask(emulator, `sys/internal/ui/mounts/${path}`, { token });
    const seen = await mount('secret', deep);
    expect(seen.body.data).toMatchObject({ path: 'secret/', type: 'kv', options: { version: '2' } });
    const words = (path: string) =>
      `preflight capability check returned 403, please ensure client's policies grant access to path "${path}/"`;
    const refused = await mount('secret', none);
    expect([refused.status, refused.body.errors]).toEqual([403, [words('secret')]]);
    expect((await mount('gone', emulator.rootToken)).body.errors).toEqual([words('gone')]);
    expect((await mount('secret', 'hvs.unknown')).body).toEqual(invalid);
  });

  test('sys/mounts lists them at the top and under data', async () => {
    const { body } = await ask(emulator, 'sys/mounts');
    expect(body['secret/'].type).toBe('kv');
    expect(body.data['secret/']).toEqual(body['secret/']);
  });

  test('a disabled mount takes its secrets with it', async () => {
    emulator.mounts.disable('secret');
    emulator.mounts.enable('secret', { type: 'kv', version: 2 });
    expect((await ask(emulator, 'secret/data/app/a')).body).toEqual({ errors: [] });
  });
});

describe('namespaces', () => {
  beforeEach(() => {
    emulator.mounts.enable('secret', { type: 'kv', version: 2, namespace: 'team/one' }).put('a', { in: 'one' });
  });

  test('one is chosen by header or by path', async () => {
    const headers = { 'x-vault-namespace': 'team/one' };
    expect((await ask(emulator, 'secret/data/a', { headers })).body.data.data).toEqual({ in: 'one' });
    expect((await ask(emulator, 'team/one/secret/data/a')).body.data.data).toEqual({ in: 'one' });
    expect((await ask(emulator, 'secret/data/a')).body).toEqual({ errors: [] });
  });

  test('an unknown one is a path without a handler', async () => {
    const { status, body } = await ask(emulator, 'secret/data/a', { headers: { 'x-vault-namespace': 'wrong' } });
    expect(status).toBe(404);
    expect(body.errors).toEqual(['no handler for route "wrong/secret/data/a". route entry not found.']);
  });

  test('a token is good in its own namespace and below, by the policies of its own', async () => {
    emulator.policies.write('reader', { 'secret/data/*': ['read'] }, 'team/one');
    const token = emulator.tokens.create({ policies: ['reader'], namespace: 'team/one' });
    const headers = { 'x-vault-namespace': 'team/one' };
    expect((await ask(emulator, 'secret/data/a', { token, headers })).status).toBe(200);
    expect((await ask(emulator, 'secret/data/app/a', { token })).body).toEqual(denied);
    const mount = await ask(emulator, 'sys/internal/ui/mounts/secret', { token, headers });
    expect(mount.body.data.path).toBe('secret/');
  });
});
