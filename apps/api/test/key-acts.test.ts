import { cloudEvent } from '@keyferry/contracts';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** What people do to keys and ask of them. Each test has keys of its own. */

const canary = 'canary-6e0b-act';
const unknown = '00000000-0000-4000-8000-00000000dead';

let vault: VaultEmulator;
let api: TestApi;

beforeAll(async () => {
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  put('bifrost/keep/one', 'x');
  put('bifrost/keep/two', 'x');
  api = await startTestApi();
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  await api.call('POST', '/v1/federation/backends', {
    name: 'main',
    kind: 'hashicorp',
    config,
    validation_rules: [{ paths: ['bifrost/checked/**'], fields: { value: { min_length: 8 } } }],
    lifecycle_rules: [
      { paths: ['bifrost/stale/*'], rotate_every: '1m' },
      { paths: ['bifrost/**'], rotation_overlap: '1h' },
    ],
  });
});

afterAll(async () => {
  await api.close();
  await vault.close();
});

function put(path: string, value: string) {
  vault.kv('secret').put(path, { value: `${canary}-${value}` });
}

async function sync(): Promise<void> {
  await api.call('POST', '/v1/federation/backends/main/sync');
  await api.work();
}

const at = (path: string) => encodeURIComponent(path);
const show = async (path: string) => (await api.call('GET', `/v1/keys/${at(path)}`)).body;
const revoke = (body: object) => api.call('POST', '/v1/keys/revoke', body);
const refusal = async (answer: Promise<{ status: number; body: { error?: { code: string } } }>) => {
  const { status, body } = await answer;
  return [status, body.error?.code];
};

describe('revoking', () => {
  test('archives keys, and letting them back makes their backend due', async () => {
    put('bifrost/r1/a', '1');
    put('bifrost/r1/b', '1');
    await sync();
    expect(await revoke({ paths: ['bifrost/r1/*'], reason: ' leaked ', dry_run: true })).toMatchObject({
      status: 200,
      body: { dry_run: true, count: 2, everything: false },
    });
    expect(await revoke({ paths: ['bifrost/r1/*'], reason: ' leaked ' })).toEqual({
      status: 200,
      headers: expect.anything(),
      body: {
        dry_run: false,
        count: 2,
        already_revoked: 0,
        everything: false,
        paths: ['bifrost/r1/a', 'bifrost/r1/b'],
        credentials_of: [],
      },
    });
    expect(await show('bifrost/r1/a')).toMatchObject({ state: 'archived', revoked: true, purge_at: null });
    const lifted = await api.call('POST', '/v1/keys/unrevoke', { paths: ['bifrost/r1/a'], reason: 'false alarm' });
    expect(lifted).toMatchObject({ status: 200, body: { count: 1, paths: ['bifrost/r1/a'] } });
    await sync();
    expect(await show('bifrost/r1/a')).toMatchObject({ state: 'active', revoked: false });
    expect(await show('bifrost/r1/b')).toMatchObject({ state: 'archived', revoked: true });

    const { items } = (await api.call('GET', '/v1/events?limit=500')).body;
    const told = items.filter(({ type }: { type: string }) => type === 'keys.revoked' || type === 'keys.unrevoked');
    for (const event of told) expect(cloudEvent.parse(event).data).toMatchObject({ actor: 'api-token' });
    expect(told[0].data).toMatchObject({ reason: 'leaked', urgent: true });
  });

  test.each([
    ['no reason', { paths: ['a'] }, 400, 'request_invalid'],
    ['an empty reason', { paths: ['a'], reason: ' \n ' }, 400, 'request_invalid'],
    ['a reason of 501 characters', { paths: ['a'], reason: 'x'.repeat(501) }, 400, 'request_invalid'],
    ['a reason with an escape sequence', { paths: ['a'], reason: 'a\u001b[2Jb' }, 400, 'request_invalid'],
    ['a reason with a NUL', { paths: ['a'], reason: 'a\u0000b' }, 400, 'request_invalid'],
    ['no path', { paths: [], reason: 'x' }, 400, 'request_invalid'],
    ['one path in place of several', { paths: 'a', reason: 'x' }, 400, 'request_invalid'],
    ['a path that is none', { paths: ['a//b'], reason: 'x' }, 400, 'request_invalid'],
    ['an empty path', { paths: [''], reason: 'x' }, 400, 'request_invalid'],
    ['a glob that can’t be parsed', { paths: ['a/**b'], reason: 'x' }, 400, 'glob_invalid'],
    ['a member that is misspelt', { paths: ['a'], reason: 'x', dryrun: true }, 400, 'request_invalid'],
    ['a path without a key', { paths: ['bifrost/none'], reason: 'x' }, 404, 'key_not_found'],
    ['a glob that matches nothing', { paths: ['none/**'], reason: 'x' }, 404, 'nothing_matches'],
    ['everything, unconfirmed', { paths: ['**'], reason: 'x' }, 409, 'revoke_all_unconfirmed'],
  ])('%s is refused, and nothing is changed', async (_what, body, status, code) => {
    await sync();
    const before = await api.query('SELECT local_path, row_version FROM keyferry.keys ORDER BY 1');
    expect(await refusal(revoke(body))).toEqual([status, code]);
    expect(await api.query('SELECT local_path, row_version FROM keyferry.keys ORDER BY 1')).toEqual(before);
  });

  test('of keys that are not revoked nothing is lifted', async () => {
    await sync();
    const body = { paths: ['bifrost/keep/one'], reason: 'x' };
    expect(await refusal(api.call('POST', '/v1/keys/unrevoke', body))).toEqual([409, 'not_revoked']);
  });
});

describe('a token for revoking', () => {
  const revokeToken = 'a-token-for-revoking-alone';
  let apart: TestApi;
  beforeAll(async () => {
    apart = await startTestApi({ revokeToken });
  });
  afterAll(() => apart.close());
  const body = { paths: ['none'], reason: 'x' };

  test.each(['/v1/keys/revoke', '/v1/keys/unrevoke'])('is the only one for %s', async (path) => {
    expect(await refusal(apart.call('POST', path, body))).toEqual([403, 'forbidden']);
    expect(await refusal(apart.call('POST', path, body, revokeToken))).toEqual([404, 'key_not_found']);
  });

  test('reads, and changes nothing else', async () => {
    const status = async (method: 'GET' | 'POST' | 'DELETE', path: string) =>
      (await apart.call(method, path, undefined, revokeToken)).status;
    expect(await status('GET', '/v1/keys')).toBe(200);
    expect(await status('GET', '/v1/backups')).toBe(200);
    expect(await status('GET', '/v1/nothing')).toBe(404);
    expect(await status('POST', '/v1/federation/backends/main/sync')).toBe(403);
    expect(await status('DELETE', '/v1/federation/backends/main')).toBe(403);
    expect(await status('POST', '/v1/rollback/a')).toBe(403);
    expect(await status('POST', `/v1/backups/${unknown}/restore`)).toBe(403);
    expect((await apart.call('GET', '/v1/keys', undefined, 'another-token-that-is-long')).status).toBe(401);
  });

  test('leaves all the rest to the ordinary one, and is named in the audit log', async () => {
    expect((await apart.call('GET', '/v1/keys')).status).toBe(200);
    const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
    const backend = { name: 'main', kind: 'hashicorp', config };
    expect((await apart.call('POST', '/v1/federation/backends', backend)).status).toBe(201);
    await apart.call('POST', '/v1/federation/backends/main/sync');
    await apart.work();
    const paths = ['bifrost/keep/one'];
    expect((await apart.call('POST', '/v1/keys/revoke', { paths, reason: 'x' }, revokeToken)).status).toBe(200);
    expect(await apart.query(`SELECT actor, target FROM keyferry.audit_log WHERE action = 'keys.revoked'`)).toEqual([
      { actor: 'revoke-token', target: 'bifrost/keep/one' },
    ]);
  });
});

describe('versions', () => {
  const path = 'bifrost/v/odd name #1%';
  const rollBack = (body: unknown, of = path) => api.call('POST', `/v1/rollback/${at(of)}`, body);

  test('are listed without their values, and an earlier one is served again', async () => {
    put(path, '1');
    await sync();
    put(path, '2');
    await sync();
    const versions = await api.call('GET', `/v1/versions/${at(path)}`);
    expect(versions).toMatchObject({
      status: 200,
      body: {
        path,
        current: 2,
        rolled_back: false,
        items: [
          { version: 2, current: true, source: 'vault', remote_version: '2', readable_until: null },
          { version: 1, current: false, source: 'vault', remote_version: '1', readable_until: expect.any(String) },
        ],
      },
    });
    expect(await rollBack({ to: 1, reason: 'the new one fails' })).toMatchObject({
      status: 200,
      body: { path, from_version: 2, to_version: 1, version: 3 },
    });
    expect(await show(path)).toMatchObject({ version: 3, rolled_back: true });
    expect((await api.call('GET', `/v1/versions/${at(path)}`)).body.items[0]).toMatchObject({
      version: 3,
      current: true,
      source: 'rollback',
    });
  });

  test.each([
    ['a version that is a text', { to: '1' }, path, 400, 'request_invalid'],
    ['a version that is no whole number', { to: 1.5 }, path, 400, 'request_invalid'],
    ['version 0', { to: 0 }, path, 400, 'request_invalid'],
    ['a version beyond all numbers', { to: 1e300 }, path, 400, 'request_invalid'],
    ['no version', {}, path, 400, 'request_invalid'],
    ['an empty reason', { to: 1, reason: '' }, path, 400, 'request_invalid'],
    ['a path that is none', { to: 1 }, 'a//b', 400, 'request_invalid'],
    ['a version that is not kept', { to: 99 }, path, 404, 'version_gone'],
    ['a key that is not there', { to: 1 }, 'bifrost/none', 404, 'key_not_found'],
    ['the version that is current', { to: 3 }, path, 409, 'nothing_to_roll_back'],
    ['a version of the same value', { to: 1 }, path, 409, 'nothing_to_roll_back'],
  ])('%s is refused', async (_what, body, of, status, code) => {
    expect(await refusal(rollBack(body, of))).toEqual([status, code]);
    expect((await show(path)).version).toBe(3);
  });

  test('of a key that is not there, there are none', async () => {
    expect(await refusal(api.call('GET', '/v1/versions/bifrost/none'))).toEqual([404, 'key_not_found']);
  });

  test('of a revoked key are not served again', async () => {
    await revoke({ paths: [path], reason: 'x' });
    expect(await refusal(rollBack({ to: 2 }))).toEqual([410, 'key_not_served']);
  });
});

describe('backups', () => {
  const restore = (id: string, body?: object) => api.call('POST', `/v1/backups/${id}/restore`, body);
  const backupsOf = async (path: string) => (await api.call('GET', `/v1/backups?path=${at(path)}`)).body.items;

  test('are listed page by page, and bring back their keys', async () => {
    for (const name of ['a', 'b', 'c']) put(`bifrost/gone/${name}`, '1');
    await sync();
    for (const name of ['a', 'b', 'c']) {
      vault.kv('secret').deleteMetadata(`bifrost/gone/${name}`);
      await sync();
    }
    const paths: string[] = [];
    let cursor = '';
    do {
      const { body } = await api.call('GET', `/v1/backups?backend=main&limit=2${cursor && `&cursor=${cursor}`}`);
      paths.push(...body.items.map(({ path }: { path: string }) => path));
      cursor = body.next_cursor;
    } while (cursor);
    expect(paths).toEqual(['bifrost/gone/c', 'bifrost/gone/b', 'bifrost/gone/a']);

    const [backup] = await backupsOf('bifrost/gone/a');
    expect(backup).toMatchObject({ path: 'bifrost/gone/a', backend: 'main', version: 1, restored_at: null });
    expect(await restore(backup.id, { reason: 'still in use' })).toMatchObject({
      status: 200,
      body: { path: 'bifrost/gone/a', version: 1, new_version: false },
    });
    expect(await show('bifrost/gone/a')).toMatchObject({ state: 'active', kept: true });
    expect((await backupsOf('bifrost/gone/a'))[0]).toMatchObject({ restored_by: 'api-token' });
    expect(await refusal(restore(backup.id))).toEqual([409, 'restore_taken']);
    await revoke({ paths: ['bifrost/gone/b'], reason: 'x' });
    expect(await refusal(restore((await backupsOf('bifrost/gone/b'))[0].id))).toEqual([409, 'key_revoked']);
    expect((await restore((await backupsOf('bifrost/gone/c'))[0].id)).status).toBe(200);
  });

  test.each([
    ['an unknown backup', () => restore(unknown), 404, 'backup_not_found'],
    ['an id that is none', () => restore('7'), 400, 'request_invalid'],
    ['an empty reason', () => restore(unknown, { reason: '' }), 400, 'request_invalid'],
    ['an unknown backend', () => api.call('GET', '/v1/backups?backend=nobody'), 404, 'backend_not_found'],
    ['a path that is none', () => api.call('GET', '/v1/backups?path=a//b'), 400, 'request_invalid'],
    ['a cursor that is garbage', () => api.call('GET', '/v1/backups?cursor=x'), 400, 'request_invalid'],
  ])('%s is refused', async (_what, request, status, code) => {
    expect(await refusal(request())).toEqual([status, code]);
  });
});

describe('an explanation', () => {
  const explain = async (path: string) => (await api.call('GET', `/v1/explain/${at(path)}`)).body;

  test('tells the state, its cause, what comes next, the rules and the story', async () => {
    put('bifrost/e/a', '1');
    await sync();
    put('bifrost/e/a', '2');
    await sync();
    vault.kv('secret').deleteMetadata('bifrost/e/a');
    await sync();
    const told = await explain('bifrost/e/a');
    expect(told).toMatchObject({
      path: 'bifrost/e/a',
      state: 'deprecated',
      key: { archive_at: expect.any(String), version: 2 },
      created: { cycle: { trigger: 'hand' } },
      rules: { validation: null, lifecycle: [1] },
      hold: null,
      story: [
        { change: 'deprecated', from: 'active', to: 'deprecated', cycle: { trigger: 'hand' }, actor: null },
        { change: 'rotated', version: 2 },
      ],
    });
    const text = told.sentences.join('\n');
    expect(text).toMatch(/^"bifrost\/e\/a" is deprecated since .+: version 2 is served with a warning\./);
    expect(text).toContain('The vault was proven not to have it any more');
    expect(text).toContain('It is archived on ');
    expect(text).toContain('lifecycle_rules[1]');
  });

  test('of a revoked key names who did it and why', async () => {
    put('bifrost/e/b', '1');
    await sync();
    await revoke({ paths: ['bifrost/e/b'], reason: 'leaked in a log' });
    const told = await explain('bifrost/e/b');
    expect(told.sentences[0]).toContain('is revoked and archived');
    expect(told.sentences.join('\n')).toMatch(/api-token revoked it on .+: leaked in a log\./);
    expect((await explain(told.id)).sentences).toEqual(told.sentences);
  });

  test('of a key that went by a person’s approval names who gave it', async () => {
    put('bifrost/e/held', '1');
    await sync();
    vault.kv('secret').deleteMetadata('bifrost/e/held');
    await sync();
    await api.query(
      `WITH hold AS (
         INSERT INTO keyferry.holds (tenant_id, backend_id, candidates, keys, opened_at, updated_at, state, decided_by, decided_at)
         SELECT tenant_id, backend_id, 1, 1, now(), now(), 'approved', 'ann', now() FROM keyferry.keys
         WHERE local_path = 'bifrost/e/held' RETURNING id)
       UPDATE keyferry.keys SET hold_id = hold.id FROM hold WHERE local_path = 'bifrost/e/held'`,
    );
    const told = await explain('bifrost/e/held');
    expect(told.hold).toMatchObject({ decided_by: 'ann', decided_at: expect.any(String) });
    expect(told.sentences.join('\n')).toContain('ann let it go, by approving the hold');
  });

  test('of a key that was purged is still there, by its path and its id', async () => {
    put('bifrost/e/purged', '1');
    await sync();
    const { id } = await show('bifrost/e/purged');
    await api.query(
      `INSERT INTO keyferry.key_changes (tenant_id, key_id, at, change, from_state)
       SELECT tenant_id, id, now(), 'purged', state FROM keyferry.keys WHERE id = $1`,
      [id],
    );
    await api.query(
      `INSERT INTO keyferry.audit_log (tenant_id, batch, place, at, actor, action, target, outcome, details)
       SELECT tenant_id, 0, 1, now(), 'sweep', 'key.purged', local_path, 'done', jsonb_build_object('key_id', id)
       FROM keyferry.keys WHERE id = $1`,
      [id],
    );
    await api.query('DELETE FROM keyferry.keys WHERE id = $1', [id]);
    for (const name of ['bifrost/e/purged', id])
      expect(await explain(name)).toMatchObject({
        id,
        path: 'bifrost/e/purged',
        state: 'purged',
        key: null,
        story: [{ change: 'purged', to: null }],
        sentences: [expect.stringContaining('was purged')],
      });
    vault.kv('secret').deleteMetadata('bifrost/e/purged');
  });

  test('of what never was there is none', async () => {
    expect(await refusal(api.call('GET', '/v1/explain/bifrost/none'))).toEqual([404, 'key_not_found']);
    expect(await refusal(api.call('GET', '/v1/explain/a%2F%2Fb'))).toEqual([400, 'request_invalid']);
  });
});

describe('the record of a key', () => {
  test('says what validation finds, and keys with problems, or overdue ones, can be listed alone', async () => {
    vault.kv('secret').put('bifrost/checked/a', { value: 'long enough' });
    put('bifrost/stale/a', '1');
    await sync();
    vault.kv('secret').put('bifrost/checked/a', { value: 'short' });
    await api.query(`UPDATE keyferry.keys SET rotation_due_at = now() WHERE local_path = 'bifrost/stale/a'`);
    await sync();
    expect(await show('bifrost/checked/a')).toMatchObject({
      version: 1,
      validation: { status: 'invalid', problems: [{ code: 'value_too_short' }], since: expect.any(String) },
    });
    expect(await show('bifrost/keep/one')).toMatchObject({
      validation: { status: 'valid', problems: [], since: null },
      kept: false,
      missing_since: null,
      archive_at: null,
    });
    const paths = async (query: string) =>
      (await api.call('GET', `/v1/keys?${query}`)).body.items.map(({ path }: { path: string }) => path);
    expect(await paths('problems=true')).toContain('bifrost/checked/a');
    expect(await paths('problems=true')).not.toContain('bifrost/keep/one');
    expect(await paths('overdue=true')).toEqual(['bifrost/stale/a']);
    expect(await paths('problems=true&overdue=true')).toEqual([]);
    expect(await refusal(api.call('GET', '/v1/keys?problems=1'))).toEqual([400, 'request_invalid']);
    const text = (await api.call('GET', `/v1/explain/${at('bifrost/checked/a')}`)).body.sentences.join('\n');
    expect(text).toContain('(value_too_short)');
    expect(text).toContain('validation_rules[0]');
  });
});

test('no value is in any event, change or entry of the audit log', async () => {
  const { items } = (await api.call('GET', '/v1/events?limit=500')).body;
  const audit = await api.query('SELECT * FROM keyferry.audit_log');
  const changes = await api.query('SELECT * FROM keyferry.key_changes');
  expect(items.length).toBeGreaterThan(10);
  expect(audit.map(({ action }) => action)).toContain('key.rolled_back');
  expect(JSON.stringify([items, audit, changes, api.lines])).not.toContain(canary);
});
