import { Shoebox, shoeboxKind } from '@keyferry/testing/support/shoebox.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** What settings say of which secrets are federated and how: what can't work is refused, and changes nothing. */

const backends = '/v1/federation/backends';
const config = { address: 'https://vault.example.com:8200', auth: { method: 'token', token: 'canary' } };

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ moreVaults: [shoeboxKind(new Map([['box', new Shoebox()]]))] });
});
afterAll(() => api.close());

let names = 0;
const create = (settings: object) =>
  api.call('POST', backends, { name: `backend-${++names}`, kind: 'hashicorp', config, ...settings });
async function created(settings: object = {}): Promise<string> {
  const { status, body } = await create(settings);
  expect(status).toBe(201);
  return `${backends}/${body.id}`;
}
const shown = async (url: string) => (await api.call('GET', url)).body;

describe('remote patterns written as the vault’s HTTP API addresses the mount', () => {
  const asGuide = { path_mapping: { 'external/hashicorp/**': 'secret/data/**' } };

  test('are stored and shown as what is inside it', async () => {
    expect((await create(asGuide)).body).toMatchObject({
      path_mapping: [{ from: 'external/hashicorp/**', to: '**' }],
      sync_paths: ['**'],
    });
  });

  test('may be in sync_paths and exclude_paths as well, of the mount that the settings name', async () => {
    const { body } = await create({
      config: { ...config, mount: 'team/kv' },
      sync_paths: ['team/kv/data/*', 'team/kv/data/app/*', 'app/?', 'secret/data/x'],
      exclude_paths: ['team/kv/metadata/app/private/**'],
    });
    expect(body).toMatchObject({
      // Everything below, as the star meant where it was written.
      sync_paths: ['**', 'app/*', 'app/?', 'secret/data/x'],
      exclude_paths: ['app/private/**'],
    });
  });

  test('mean it too where a change gives them, by the mount of then', async () => {
    const url = await created();
    const rule = { from: 'external/**', to: 'secret/data/app/**', mode: 'proxy' };
    const changed = await api.call('PATCH', url, { path_mapping: [rule] });
    expect(changed.body.path_mapping).toEqual([{ from: 'external/**', to: 'app/**', mode: 'proxy' }]);

    const moved = await api.call('PATCH', url, { config: { mount: 'kv' }, sync_paths: ['kv/data/app/**'] });
    expect(moved.body).toMatchObject({ config: { mount: 'kv' }, sync_paths: ['app/**'] });
    const version1 = await api.call('PATCH', url, { config: { kv_version: 1 }, exclude_paths: ['kv/data/**'] });
    expect(version1.body.exclude_paths).toEqual(['data/**']);
  });

  test('are nothing special for another kind of vault', async () => {
    const { body } = await create({
      kind: 'shoebox',
      config: { box: 'box', auth: { method: 'password', password: 'open' } },
      sync_paths: ['secret/data/**'],
    });
    expect(body.sync_paths).toEqual(['secret/data/**']);
  });
});

describe('settings that can’t work together are refused by the setting that has to change', () => {
  const writable = { access_mode: 'read_and_write', writes: 'write_through' };
  const through = { writes: 'write_through' };
  const everything = { path_mapping: [{ from: 'app/**', to: 'app/**', mode: 'proxy' }], sync_paths: ['app/*'] };
  const shoebox = { kind: 'shoebox', config: { box: 'box', auth: { method: 'password', password: 'open' } } };

  test.each<[string, object, string]>([
    ['write_through of a vault that is only read', through, 'access_mode'],
    ['write_through, by its other word', { writes: true }, 'access_mode'],
    ['write_through for a kind that can’t be written to', { ...shoebox, ...writable }, 'can’t be written to'],
    ['write_through where everything is proxied', { ...writable, mode: 'proxy' }, 'mode proxy'],
    ['local writes where everything is proxied', { writes: 'local', mode: 'proxy' }, 'mode proxy'],
    ['local writes where a rule proxies everything', { writes: 'local', ...everything }, 'mode proxy'],
  ])('%s', async (_, settings, words) => {
    const { status, body } = await create(settings);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(new RegExp(`^writes: .*${words}`)),
      details: { field: 'writes' },
    });
  });

  test.each<[string, object, object]>([
    ['write_through of a vault that is only read', {}, through],
    ['a vault that is only read, of write_through', writable, { access_mode: 'read_only' }],
    ['everything proxied, of write_through', writable, { mode: 'proxy' }],
    ['everything proxied, of local writes', { writes: 'local' }, { mode: 'proxy' }],
    [
      'the last rule in mode sync',
      { writes: 'local', mode: 'proxy', path_mapping: [{ from: 'a/**', to: 'a/**', mode: 'sync' }] },
      { path_mapping: [] },
    ],
    ['writes of what is proxied', { mode: 'proxy' }, { writes: 'local' }],
  ])('also as a change: %s', async (_, before, change) => {
    const url = await created(before);
    const asItWas = await shown(url);
    for (const query of ['', '?dry_run=true']) {
      const { status, body } = await api.call('PATCH', `${url}${query}`, change);
      expect(status).toBe(400);
      expect(body.error).toMatchObject({ code: 'config_invalid', details: { field: 'writes' } });
    }
    expect(await shown(url)).toEqual(asItWas);
  });

  test.each<[string, object, string, string]>([
    ['a mode that there isn’t', { mode: 'mirror' }, 'config_invalid', 'mode'],
    [
      'a rule’s mode that there isn’t',
      { path_mapping: [{ from: 'a', to: 'b', mode: 'mirror' }] },
      'config_invalid',
      'path_mapping[0].mode',
    ],
    [
      'a rule that can’t be inverted',
      { path_mapping: [{ from: 'a/*', to: 'b' }] },
      'mapping_not_invertible',
      'path_mapping[0]',
    ],
    ['writes that there aren’t', { writes: false }, 'config_invalid', 'writes'],
  ])('%s', async (_, settings, code, field) => {
    const url = await created();
    for (const { status, body } of [await create(settings), await api.call('PATCH', url, settings)]) {
      expect(status).toBe(400);
      expect(body.error).toMatchObject({ code, details: { field } });
    }
  });

  test('what works together is taken, and one change may mend two settings', async () => {
    const url = await created(writable);
    const { status, body } = await api.call('PATCH', url, { mode: 'proxy', writes: 'disabled' });
    expect({ status, body }).toMatchObject({ status: 200, body: { mode: 'proxy', writes: 'disabled' } });
    const subtree = [{ from: 'bifrost/hot/**', to: 'bifrost/hot/**', mode: 'sync' }];
    expect((await api.call('PATCH', url, { path_mapping: subtree, writes: true })).body.writes).toBe('write_through');
  });

  test('the database refuses write_through of a vault that is only read, too', async () => {
    const url = await created(writable);
    const id = url.split('/').at(-1);
    await expect(
      api.query(`UPDATE keyferry.backends SET access_mode = 'read_only' WHERE id = '${id}'`),
    ).rejects.toThrow('backends_write_through_check');
  });
});
