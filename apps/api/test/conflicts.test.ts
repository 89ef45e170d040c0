import { conflictPage } from '@keyferry/contracts';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { holders } from './support/holders.ts';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** Conflicts over HTTP. Each test has a backend of its own, whose keys were changed on both sides. */

const canary = 'canary-9b2d-conflict';

const blind = holders();
let vault: VaultEmulator;
let api: TestApi;
beforeAll(async () => {
  vault = await startVaultEmulator();
  api = await startTestApi({ authenticators: [blind] });
});
afterAll(async () => {
  await api.close();
  await vault.close();
});

let count = 0;
let name: string;
beforeEach(async () => {
  name = `team-${++count}`;
  vault.mounts.enable(name, { type: 'kv', version: 2 });
  for (const key of ['a', 'b', 'c']) put(key, '1');
  const config = { address: vault.url, mount: name, auth: { method: 'token', token: vault.rootToken } };
  const settings = { name, kind: 'hashicorp', prefix: name, conflict_policy: 'manual', config };
  expect((await api.call('POST', '/v1/federation/backends', settings)).status).toBe(201);
  await sync();
  for (const key of ['a', 'b']) await changeHere(key);
  put('a', '2');
  vault.kv(name).deleteMetadata(`${name}/b`);
  await sync();
});

function put(key: string, value: string) {
  const customMetadata = { owner: `team of ${key}` };
  vault.kv(name).put(`${name}/${key}`, { value: `${canary}-${value}` }, { customMetadata });
}

async function sync(): Promise<void> {
  await api.call('POST', `/v1/federation/backends/${name}/sync`);
  await api.work();
}

/** What a write through Keyferry changes of a key that matters here. */
const changeHere = (key: string) =>
  api.query(
    "UPDATE keyferry.keys SET local_digest = sha256('ours'), row_version = row_version + 1 WHERE local_path = $1",
    [`${name}/${key}`],
  );

const list = (query = '') => api.call('GET', `/v1/federation/backends/${name}/conflicts${query}`);
const resolve = (body: object) => api.call('POST', `/v1/federation/backends/${name}/conflicts/resolve`, body);

test('both sides are listed, a page at a time, without values and digests', async () => {
  const { status, body } = await list();
  expect(status).toBe(200);
  expect(conflictPage.parse(body)).toEqual(body);
  expect(body).toMatchObject({ policy: 'manual', next_cursor: null });
  const byPath = Object.fromEntries(body.items.map((item: { path: string }) => [item.path, item]));
  expect(byPath[`${name}/a`]).toMatchObject({
    backend: name,
    kind: 'changed',
    local: { version: '1', source: 'vault', deleted: false, metadata: { owner: 'team of a' } },
    remote: { version: '2', at: expect.any(String), metadata: { owner: 'team of a' } },
    resolution: null,
    resolved_by: null,
  });
  expect(byPath[`${name}/b`]).toMatchObject({ kind: 'removed', remote: { version: null, at: null, metadata: {} } });
  const [digest] = await api.query(
    "SELECT encode(remote_digest, 'hex') AS hex FROM keyferry.conflicts ORDER BY 1 DESC",
  );
  for (const secret of [canary, String(digest?.hex)]) expect(JSON.stringify(body)).not.toContain(secret);

  const first = await list('?limit=1');
  const second = await list(`?limit=1&cursor=${first.body.next_cursor}`);
  expect([...first.body.items, ...second.body.items]).toEqual(body.items);
  expect(second.body.next_cursor).toBeNull();
});

test('one is resolved by a cycle that is opened at once, which is audited', async () => {
  const { status, body } = await resolve({ keep: 'remote', paths: [`${name}/a`] });
  expect({ status, body }).toEqual({
    status: 202,
    body: { backend: name, keep: 'remote', paths: [`${name}/a`], cycle_id: expect.any(String) },
  });
  expect((await list()).body.items[0]).toMatchObject({ resolution: 'remote', resolved_by: 'api-token' });
  // The cycle that is open does not hinder another word.
  expect((await resolve({ keep: 'local', paths: [`${name}/b`] })).body.cycle_id).toBeNull();
  await api.work();
  expect((await list()).body.items).toEqual([]);
  expect((await api.call('GET', `/v1/keys/${encodeURIComponent(`${name}/a`)}`)).body).toMatchObject({ version: 2 });
  const explained = await api.call('GET', `/v1/explain/${encodeURIComponent(`${name}/b`)}`);
  expect(explained.body.sentences).toContain('Its value is only here: the vault has none of it.');
  const audited = await api.query(
    "SELECT details FROM keyferry.audit_log WHERE action = 'conflicts.resolved' AND target = $1",
    [name],
  );
  expect(audited).toMatchObject([{ details: { keep: 'remote' } }, { details: { keep: 'local' } }]);
});

test('all are resolved at once, and named to whoever may see them', async () => {
  const all = { keep: 'local', all: true };
  blind.set('blind', [], ['federation:write']);
  const explained = await api.call('GET', `/v1/explain/${encodeURIComponent(`${name}/a`)}`);
  expect(explained.body.sentences).toContain('A person has to say which side is kept.');
  const answer = await api.call('POST', `/v1/federation/backends/${name}/conflicts/resolve`, all, 'blind');
  expect(answer).toMatchObject({ status: 202, body: { paths: [] } });
  const { body } = await resolve(all);
  expect(body.paths).toEqual([`${name}/a`, `${name}/b`]);
  await api.work();
  expect((await list()).body.items).toEqual([]);
});

test('a path that is in no conflict is named, and nothing is changed', async () => {
  const refused = await resolve({ keep: 'remote', paths: [`${name}/a`, `${name}/c`, 'nowhere'] });
  expect(refused).toMatchObject({ status: 404, body: { error: { code: 'conflict_not_found' } } });
  expect(refused.body.error.message).toContain(`"${name}/c"`);
  expect((await list()).body.items[0]).toMatchObject({ resolution: null });
});

test.each([
  [{ keep: 'remote' }],
  [{ keep: 'both', all: true }],
  [{ keep: 'remote', paths: [] }],
  [{ keep: 'remote', paths: ['a'], all: true }],
  [{ keep: 'remote', all: false }],
])('%j is refused', async (body) => {
  expect(await resolve(body)).toMatchObject({ status: 400, body: { error: { code: 'request_invalid' } } });
});

test('an unknown backend, or a cursor of another list, is refused', async () => {
  const unknown = await api.call('GET', '/v1/federation/backends/nowhere/conflicts');
  expect(unknown).toMatchObject({ status: 404, body: { error: { code: 'backend_not_found' } } });
  const all = { keep: 'local', all: true };
  expect(await api.call('POST', '/v1/federation/backends/nowhere/conflicts/resolve', all)).toMatchObject({
    status: 404,
  });
  expect(await list('?cursor=bm8')).toMatchObject({ status: 400, body: { error: { code: 'request_invalid' } } });
});
