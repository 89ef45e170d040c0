import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { holders } from './support/holders.ts';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** What policies let somebody do, and what they learn of the rest: nothing. */

const unknown = '00000000-0000-4000-8000-00000000dead';
const cleanup = new AsyncDisposableStack();
const known = holders();
let vault: VaultEmulator;
let api: TestApi;
/** Ids of keys by their paths. */
let ids: Record<string, string>;

beforeAll(async () => {
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  for (const path of ['mine/a', 'mine/b', 'seen/a', 'hidden/a', 'hidden/b', 'hidden/token', 'proxied/a', 'proxied/b'])
    put(path, 'one');
  for (let index = 0; index < 30; index++)
    put(`bulk/${index % 3 === 0 ? 'shown' : 'kept'}-${String(index).padStart(2, '0')}`, 'x');
  api = await startTestApi({ authenticators: [known] });
  cleanup.defer(() => api.close());
  await api.call('POST', '/v1/federation/backends', {
    name: 'main',
    kind: 'hashicorp',
    config: { address: vault.url, auth: { method: 'token', token: vault.rootToken } },
    sync_paths: ['mine/*', 'seen/*', 'hidden/*', 'bulk/*'],
    writes: 'local',
    lifecycle_rules: [{ paths: ['**'], rotation_overlap: '1h' }],
  });
  await api.call('POST', '/v1/federation/backends', {
    name: 'through',
    kind: 'hashicorp',
    config: { address: vault.url, auth: { method: 'token', token: vault.rootToken } },
    sync_paths: ['proxied/*'],
    mode: 'proxy',
  });
  await sync();
  const { items } = (await api.call('GET', '/v1/keys?limit=500')).body;
  ids = Object.fromEntries(items.map(({ local_path, path, id }: Record<string, string>) => [path ?? local_path, id]));
}, 60_000);
afterAll(() => cleanup.disposeAsync());

function put(path: string, value: string) {
  vault.kv('secret').put(path, { value });
}

async function sync(): Promise<void> {
  await api.call('POST', '/v1/federation/backends/main/sync');
  await api.work();
}

let asked = 0;
/** Somebody with these policies. */
function somebody(
  ...grants: [glob: string, ...permissions: ('read' | 'list' | 'write' | 'delete' | 'rotate' | 'revoke' | 'admin')[]][]
) {
  const by = `somebody-${++asked}`;
  known.set(
    by,
    grants.map(([pathGlob, ...permissions]) => ({ pathGlob, permissions })),
  );
  return by;
}
type Method = Parameters<TestApi['call']>[0];
const call = (by: string, method: Method | 'PUT', path: string, body?: unknown, headers?: object) =>
  api.call(method as Method, path, body, by, headers);
const at = (path: string) => encodeURIComponent(path);
/** An answer without what is another each time. */
const told = async (answer: ReturnType<typeof call>, ...names: string[]) => {
  const { status, body } = await answer;
  delete body?.error?.request_id;
  return names.reduce((text, name) => text.replaceAll(name, '<name>'), JSON.stringify([status, body]));
};

test('who may start cycles and not see names is told none by a plan', async () => {
  const [by, seeing] = ['starts', 'starts-and-sees'];
  known.set(by, [], ['federation:write']);
  known.set(seeing, [], ['federation:write', 'federation:read']);
  const plan = (who: string) =>
    api.app.inject({
      method: 'POST',
      url: '/v1/federation/backends/through/plan',
      headers: { authorization: `Bearer ${who}` },
    });
  const refused = await plan(by);
  expect(refused.statusCode).toBe(403);
  expect(refused.json().error.details).toEqual({ scope: 'federation:read' });
  expect((await plan(seeing)).statusCode).not.toBe(403);
});

describe('whoever has nothing', () => {
  test('is refused by every route, whatever is asked for', async () => {
    const by = somebody();
    const document = (await api.app.inject({ url: '/openapi.json' })).json();
    const open = new Set(['/healthz', '/readyz', '/v1/whoami']);
    const answered: string[] = [];
    let routes = 0;
    for (const [path, methods] of Object.entries<Record<string, unknown>>(document.paths))
      for (const method of Object.keys(methods)) {
        if (open.has(path)) continue;
        routes++;
        const answers = ['mine/a', 'not/there', ids['mine/a'] ?? '', unknown, 'main'].map(async (name) => {
          const url = path.replace(/\{[^}]+\}/g, path.endsWith('{path}') ? name : at(name));
          const headers = { authorization: `Bearer ${by}`, 'content-type': 'application/json' };
          const body = method === 'get' || method === 'delete' ? {} : { payload: '{}' };
          const answer = await api.app.inject({ method: method.toUpperCase() as 'GET', url, headers, ...body });
          const { error } = answer.json();
          return `${answer.statusCode} ${error?.code} ${error?.message} ${JSON.stringify(error?.details)}`;
        });
        const different = new Set(await Promise.all(answers));
        if (different.size > 1 || ![...different].every((text) => text.startsWith('403 forbidden')))
          answered.push(`${method} ${path}: ${[...different].join(' | ')}`);
      }
    expect(answered).toEqual([]);
    expect(routes).toBeGreaterThan(45);
  });
});

describe('a path of one’s own', () => {
  test('is read, and no other, whether or not there is anything', async () => {
    const by = somebody(['mine/**', 'read']);
    expect(await call(by, 'GET', '/v1/secrets/mine/a')).toMatchObject({ status: 200, body: { value: 'one' } });
    expect((await call(by, 'GET', '/v1/secrets/mine/none')).status).toBe(404);
    const there = await told(call(by, 'GET', '/v1/secrets/hidden/a'), 'hidden/a');
    expect(there).toBe(await told(call(by, 'GET', '/v1/secrets/hidden/none'), 'hidden/none'));
    expect(there).toContain('403');
    expect((await call(by, 'GET', '/v1/secrets/hidden/a?field=value')).status).toBe(403);
    expect((await call(by, 'GET', '/v1/secrets/hidden/a?version=1')).status).toBe(403);
  });

  test('is written and deleted only with the permission for it', async () => {
    const by = somebody(['mine/**', 'read', 'list'], ['mine/new/*', 'write'], ['mine/old/*', 'delete']);
    expect((await call(by, 'PUT', '/v1/secrets/mine/a', { value: 'x' })).status).toBe(403);
    expect((await call(by, 'DELETE', '/v1/secrets/mine/a')).status).toBe(403);
    expect((await call(by, 'PUT', '/v1/secrets/mine/new/a', { value: 'x' })).status).toBe(201);
    expect((await call(by, 'DELETE', '/v1/secrets/mine/new/a')).status).toBe(403);
    expect((await call(by, 'DELETE', '/v1/secrets/mine/old/a')).status).toBe(404);
  });

  test('each reference has an outcome of its own, and nothing of a forbidden one is read', async () => {
    const by = somebody(['mine/**', 'read']);
    const references = ['vault.mine/a', 'vault.hidden/a', 'vault.hidden/none', 'vault.hidden/a#value', 'plain'];
    const { status, body } = await call(by, 'POST', '/v1/secrets/resolve', { references });
    expect([
      status,
      body.items.map((item: { value: string; error?: { code: string } }) => item.error?.code ?? item.value),
    ]).toEqual([200, ['one', 'forbidden', 'forbidden', 'forbidden', 'plain']]);
    const [there, none] = [body.items[1], body.items[2]].map((item) =>
      JSON.stringify(item).replaceAll(/hidden\/\w+/g, ''),
    );
    expect(there).toBe(none);
  });
});

describe('lists', () => {
  const names = (page: { body: { items: { path: string }[] } }) => page.body.items.map(({ path }) => path);

  test.each(['/v1/secrets', '/v1/keys'])(
    '%s shows what may be listed, page by page, and nothing of the rest',
    async (route) => {
      const by = somebody(['bulk/shown-*', 'list']);
      const all: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await call(by, 'GET', `${route}?limit=3${cursor ? `&cursor=${cursor}` : ''}`);
        expect(page.status).toBe(200);
        all.push(...names(page));
        cursor = page.body.next_cursor;
        if (cursor) expect(Buffer.from(cursor, 'base64url').toString()).not.toContain('kept');
      } while (cursor);
      expect(all).toEqual(Array.from({ length: 10 }, (_, index) => `bulk/shown-${String(index * 3).padStart(2, '0')}`));
      expect(names(await call(by, 'GET', `${route}?prefix=hidden`))).toEqual([]);
      expect(names(await call(by, 'GET', `${route}?limit=500`))).toHaveLength(10);
    },
  );

  test('names of a proxied vault are listed as those of the store are', async () => {
    const by = somebody(['proxied/b', 'list'], ['mine/a', 'list']);
    expect(names(await call(by, 'GET', '/v1/secrets'))).toEqual(['mine/a', 'proxied/b']);
    expect((await call(by, 'GET', '/v1/secrets/proxied/b')).status).toBe(403);
    expect(names(await call(somebody(['proxied/*', 'read'], ['mine/a', 'list']), 'GET', '/v1/secrets'))).toEqual([
      'mine/a',
    ]);
  });

  test('a backend by a name that is none is as one without keys', async () => {
    const by = somebody(['bulk/shown-*', 'list']);
    expect(await call(by, 'GET', '/v1/keys?backend=none')).toMatchObject({
      status: 200,
      body: { items: [], next_cursor: null },
    });
    expect(await call(by, 'GET', '/v1/backups?backend=none')).toMatchObject({ status: 200, body: { items: [] } });
    expect((await api.call('GET', '/v1/keys?backend=none')).status).toBe(404);
  });
});

describe('a key’s record', () => {
  test.each(['keys', 'explain', 'versions'])(
    '/v1/%s answers for what may be listed alone, by path and by id',
    async (route) => {
      const by = somebody(['mine/**', 'list']);
      expect((await call(by, 'GET', `/v1/${route}/${at('mine/a')}`)).status).toBe(200);
      expect((await call(by, 'GET', `/v1/${route}/${ids['mine/a']}`)).status).toBe(200);
      const [there, none] = ['hidden/a', 'hidden/none'];
      expect(await told(call(by, 'GET', `/v1/${route}/${at(there)}`), there)).toBe(
        await told(call(by, 'GET', `/v1/${route}/${at(none)}`), none),
      );
      const hidden = ids['hidden/a'] ?? '';
      const answer = await told(call(by, 'GET', `/v1/${route}/${hidden}`), hidden);
      expect(answer).toBe(await told(call(by, 'GET', `/v1/${route}/${unknown}`), unknown));
      expect(answer).toContain('key_not_found');
    },
  );

  test('a rollback is for whoever may rotate the key, and tells the others nothing', async () => {
    put('mine/b', 'two');
    put('hidden/b', 'two');
    await sync();
    const by = somebody(['mine/**', 'rotate'], ['**/b', 'read', 'list']);
    const roll = (name: string) => call(by, 'POST', `/v1/rollback/${at(name)}`, { to: 1 });
    const hidden = ids['hidden/b'] ?? '';
    expect(await told(roll('hidden/b'), 'hidden/b')).toBe(await told(roll('hidden/none'), 'hidden/none'));
    expect(await told(roll(hidden), hidden)).toBe(await told(roll(unknown), unknown));
    expect((await call(by, 'GET', '/v1/secrets/hidden/b')).body.value).toBe('two');
    expect(await roll('mine/b')).toMatchObject({ status: 200, body: { to_version: 1 } });
  });

  test('backups are shown by their paths, and restored by whoever may rotate', async () => {
    for (const path of ['mine/gone', 'hidden/gone']) put(path, 'kept');
    await sync();
    for (const path of ['mine/gone', 'hidden/gone']) vault.kv('secret').deleteMetadata(path);
    await sync();
    const all = (await api.call('GET', '/v1/backups')).body.items as {
      id: string;
      path?: string;
      local_path?: string;
    }[];
    const backupOf = (path: string) => all.find((backup) => (backup.path ?? backup.local_path) === path)?.id ?? '';
    expect(backupOf('hidden/gone')).not.toBe('');
    const by = somebody(['mine/**', 'list', 'rotate'], ['hidden/**', 'read']);
    const shown = (await call(by, 'GET', '/v1/backups')).body.items;
    expect(shown.map(({ id }: { id: string }) => id)).toEqual([backupOf('mine/gone')]);
    const restore = (id: string) => call(by, 'POST', `/v1/backups/${id}/restore`);
    const hidden = backupOf('hidden/gone');
    expect(await told(restore(hidden), hidden)).toBe(await told(restore(unknown), unknown));
    expect((await call(by, 'GET', '/v1/backups?path=hidden/gone')).body.items).toEqual([]);
    expect((await restore(backupOf('mine/gone'))).status).toBe(200);
  });
});

describe('revoking', () => {
  const revoke = (by: string, paths: string[], act = 'revoke') =>
    call(by, 'POST', `/v1/keys/${act}`, { paths, reason: 'a test' });
  const revoked = async () =>
    (await api.query('SELECT local_path FROM keyferry.keys WHERE revoked ORDER BY 1')).map((row) => row.local_path);

  test.each(['revoke', 'unrevoke'])(
    '%s of a path without the permission is refused, whether or not there is a key',
    async (act) => {
      const by = somebody(['mine/**', 'revoke']);
      const answer = await told(revoke(by, ['mine/a', 'hidden/a'], act), 'hidden/a');
      expect(answer).toContain('403');
      expect(answer).toBe(await told(revoke(by, ['mine/a', 'hidden/none'], act), 'hidden/none'));
      expect(await revoked()).toEqual([]);
    },
  );

  test('a glob chooses nothing that may not be seen, and refuses all where something seen may not be revoked', async () => {
    const by = somebody(['mine/**', 'revoke'], ['seen/**', 'list']);
    expect(await told(revoke(by, ['hidden/*']), 'hidden/*')).toBe(await told(revoke(by, ['nowhere/*']), 'nowhere/*'));
    expect(await told(revoke(by, ['hidden/a*']), 'hidden/a*')).toContain('nothing_matches');
    const answer = await told(revoke(by, ['*/a']));
    expect(answer).toContain('403');
    expect(answer).toContain('seen/a');
    expect(answer).not.toContain('hidden');
    expect(await revoked()).toEqual([]);
    expect(await revoke(by, ['m*/a'])).toMatchObject({ status: 200, body: { paths: ['mine/a'] } });
    expect(await revoked()).toEqual(['mine/a']);
    expect((await revoke(by, ['mine/a'], 'unrevoke')).status).toBe(200);
    await sync();
  });
});

describe('writing without reading', () => {
  test('tells neither whether the value was the same nor why a condition isn’t fulfilled', async () => {
    const blind = somebody(['mine/**', 'write']);
    const seeing = somebody(['mine/**', 'write', 'read']);
    await call(seeing, 'PUT', '/v1/secrets/mine/guess', { value: 'right' });
    const again = await call(seeing, 'PUT', '/v1/secrets/mine/guess', { value: 'right' });
    const guessed = await call(blind, 'PUT', '/v1/secrets/mine/guess', { value: 'right' });
    expect(guessed.body.version).toBe(again.body.version + 1);
    const [there, none] = ['mine/guess', 'mine/nothing-there'].map((path) =>
      told(call(blind, 'PUT', `/v1/secrets/${path}`, { value: 'x' }, { 'if-match': '"none"' }), path),
    );
    expect(await there).toBe(await none);
    expect(await there).toContain('412');
  });
});

describe('credentials of backends', () => {
  const settings = (auth: object, more: object = {}) => ({ address: vault.url, auth, ...more });
  const add = (by: string, config: object) =>
    call(by, 'POST', '/v1/federation/backends', { name: `backend-${++asked}`, kind: 'hashicorp', config });

  test.each<[string, (path: string) => object]>([
    ['a reference', (path) => settings({ method: 'token', token: `vault.${path}` })],
    ['a reference to a field', (path) => settings({ method: 'token', token: `vault.${path}#value` })],
    ['credentials_path', (path) => settings({ method: 'token' }, { credentials_path: path })],
    ['auth_config_path', (path) => settings({ method: 'token' }, { auth_config_path: `vault.${path}` })],
  ])('that are in keys by %s are for whoever may read those', async (_what, config) => {
    put('hidden/token', vault.rootToken);
    await sync();
    const by = somebody(['mine/**', 'read']);
    known.set(by, [{ pathGlob: 'mine/**', permissions: ['read'] }], ['settings']);
    const answer = await told(add(by, config('hidden/token')), 'hidden/token');
    expect(answer).toContain('403');
    expect(answer).toBe(await told(add(by, config('hidden/none')), 'hidden/none'));
    const plain = await add(by, settings({ method: 'token', token: vault.rootToken }));
    expect(plain.status).toBe(201);
    const change = (config: object) => call(by, 'PATCH', `/v1/federation/backends/${plain.body.id}`, { config });
    expect((await change(config('hidden/token'))).status).toBe(403);
    known.set(by, [{ pathGlob: 'hidden/token', permissions: ['read'] }], ['settings']);
    expect([400, 200]).toContain((await change(config('hidden/token'))).status);
    known.set(by, [], ['settings']);
    expect((await change({ mount: 'secret' })).status).toBe(200);
    expect((await call(by, 'DELETE', `/v1/federation/backends/${plain.body.id}`)).status).toBe(200);
  });

  test('settings of channels refer to no key', async () => {
    const by = somebody();
    known.set(by, [], ['settings']);
    const channel = {
      name: 'refers',
      kind: 'webhook',
      url: 'https://example.com/',
      signing_secret: 'vault.hidden/token',
    };
    expect((await call(by, 'POST', '/v1/notifications/channels', channel)).status).toBe(400);
  });
});

// The last, since it leaves very many keys behind.
describe('very many hidden names', () => {
  const names = (page: { body: { items: { path: string }[] } }) => page.body.items.map(({ path }) => path);

  test('a sealed cursor goes on where it says, tells nothing, and is for its list alone', async () => {
    await api.query(`INSERT INTO keyferry.keys SELECT (jsonb_populate_record(k, jsonb_build_object(
      'id', gen_random_uuid(), 'remote_path', 'many/' || n, 'remote_hash', '\\x' || md5('many/' || n),
      'local_path', 'many/' || lpad(n::text, 6, '0')))).* FROM keyferry.keys k, generate_series(1, 10100) n WHERE k.local_path = 'hidden/b'`);
    const by = somebody(['many/010050', 'list']);
    for (const route of ['/v1/secrets', '/v1/keys']) {
      const first = await call(by, 'GET', `${route}?prefix=many/&limit=5`);
      expect(first).toMatchObject({ status: 200, body: { items: [] } });
      const cursor = first.body.next_cursor as string;
      expect(cursor).toMatch(/^\.[0-9a-f-]{36}\.[\w-]{1400,1600}$/);
      let page = await call(by, 'GET', `${route}?prefix=many/&limit=5&cursor=${cursor}`);
      while (page.body.next_cursor && page.body.items.length === 0)
        page = await call(by, 'GET', `${route}?prefix=many/&limit=5&cursor=${page.body.next_cursor}`);
      expect(names(page)).toEqual(['many/010050']);
      const other = route === '/v1/keys' ? '/v1/secrets' : '/v1/keys';
      expect((await call(by, 'GET', `${other}?cursor=${cursor}`)).status).toBe(400);
      expect((await call(by, 'GET', `${route}?cursor=${cursor.slice(0, -3)}AAA`)).status).toBe(400);
    }
  }, 60_000);
});
