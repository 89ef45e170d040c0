import { cloudEvent } from '@keyferry/contracts';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** One backend's story, told by what the API shows of it: each test goes on where the one before ended. */

const backend = '/v1/federation/backends/main';
const value = 'canary-91c4-value';

let vault: VaultEmulator;
let api: TestApi;

beforeAll(async () => {
  vault = await startVaultEmulator();
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  for (let number = 1; number <= 9; number++) kv.put(`bifrost/team/key-${number}`, { value: `${value}-${number}` });
  kv.put('bifrost/odd name #1%?', { value }, { customMetadata: { owner: 'ops' } });
  api = await startTestApi();
});

afterAll(async () => {
  await api.close();
  await vault.close();
});

async function synced(): Promise<string> {
  const { body } = await api.call('POST', `${backend}/sync`);
  await api.work();
  return body.id;
}

test('a new backend was never synced', async () => {
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  expect((await api.call('POST', '/v1/federation/backends', { name: 'main', kind: 'hashicorp', config })).status).toBe(
    201,
  );
  const { body } = await api.call('GET', `${backend}/status`);
  expect(body).toMatchObject({
    status: 'never_synced',
    last_sync: null,
    secrets_synced: 0,
    connection: { status: 'unknown' },
    last_error: null,
    open_hold: null,
  });
});

test('a test asks the vault at once', async () => {
  const { status, body } = await api.call('POST', `${backend}/test`);
  expect(status).toBe(200);
  expect(body).toMatchObject({ container: 'present', latency_ms: expect.any(Number) });
});

test('a cycle asked for by hand is accepted, and asked for again it is the same one', async () => {
  const first = await api.call('POST', `${backend}/sync`);
  expect(first).toMatchObject({
    status: 202,
    body: { backend: 'main', trigger: 'hand', requested_by: 'api-token', state: 'open', stage: 'discover' },
  });
  expect(first.headers.location).toBe(`/v1/federation/cycles/${first.body.id}`);
  const second = await api.call('POST', `${backend}/sync`);
  expect(second.body.id).toBe(first.body.id);
  expect(await api.query(`SELECT action FROM keyferry.audit_log WHERE action = 'sync.requested'`)).toHaveLength(2);

  await api.work();
  const { body } = await api.call('GET', `/v1/federation/cycles/${first.body.id}`);
  expect(body).toMatchObject({
    state: 'completed',
    issues: 0,
    error: null,
    counts: { discovered: 10, added: 10, updated: 0, deprecated: 0 },
    duration_ms: expect.any(Number),
  });
  expect(body.vault_calls.read).toBe(10);
});

test('after it the backend is healthy', async () => {
  const { body } = await api.call('GET', `${backend}/status`);
  expect(body).toMatchObject({
    status: 'healthy',
    secrets_synced: 10,
    keys: { active: 10, deprecated: 0, archived: 0, expired: 0 },
    connection: { status: 'connected' },
    last_sync: expect.any(String),
    last_sync_duration_ms: expect.any(Number),
  });
});

test('keys are listed page by page in the order of their paths', async () => {
  const paths: string[] = [];
  let cursor = '';
  do {
    const { body } = await api.call('GET', `/v1/keys?limit=4${cursor && `&cursor=${cursor}`}`);
    paths.push(...body.items.map(({ path }: { path: string }) => path));
    cursor = body.next_cursor;
  } while (cursor);
  expect(paths).toHaveLength(10);
  expect(paths).toEqual([...paths].sort());
});

test('keys are filtered by state, backend and prefix', async () => {
  const count = async (query: string) => (await api.call('GET', `/v1/keys?${query}`)).body.items.length;
  expect(await count('state=active')).toBe(10);
  expect(await count('state=archived')).toBe(0);
  expect(await count('backend=main&prefix=bifrost/team/')).toBe(9);
  expect(await count('prefix=bifrost/odd%20name%20%231%25')).toBe(1);
  expect((await api.call('GET', '/v1/keys?backend=nobody')).body.error.code).toBe('backend_not_found');
});

test('a key is shown by its path, whatever signs are in it, and by its id', async () => {
  const byPath = await api.call('GET', `/v1/keys/${encodeURIComponent('bifrost/odd name #1%?')}`);
  expect(byPath).toMatchObject({
    status: 200,
    body: { path: 'bifrost/odd name #1%?', backend: 'main', state: 'active', version: 1, metadata: { owner: 'ops' } },
  });
  expect((await api.call('GET', '/v1/keys/bifrost/odd%20name%20%231%25%3F')).body).toEqual(byPath.body);
  expect((await api.call('GET', `/v1/keys/${byPath.body.id}`)).body).toEqual(byPath.body);
});

test.each([
  ['bifrost/team/key-99', 404, 'key_not_found'],
  ['bifrost//team', 400, 'request_invalid'],
  ['bifrost/a%2F..%2Fb', 400, 'request_invalid'],
  ['bifrost/%00', 400, 'request_invalid'],
  ['bifrost/%zz', 400, 'request_invalid'],
  ['x'.repeat(1025), 400, 'request_invalid'],
])('the key %s is answered with %i %s', async (path, status, code) => {
  const answer = await api.call('GET', `/v1/keys/${path}`);
  expect({ status: answer.status, code: answer.body.error.code }).toEqual({ status, code });
});

test('a vault that is sealed fails the cycle, which is seen, listed and replayed', async () => {
  vault.seal();
  const tested = await api.call('POST', `${backend}/test`);
  expect(tested).toMatchObject({ status: 502, body: { error: { code: 'vault_sealed' } } });
  const cycleId = await synced();
  expect((await api.call('GET', `/v1/federation/cycles/${cycleId}`)).body).toMatchObject({
    state: 'failed',
    error: { code: 'vault_sealed' },
  });
  expect((await api.call('GET', `${backend}/status`)).body).toMatchObject({
    status: 'degraded',
    secrets_synced: 10,
    connection: { status: 'disconnected' },
    last_error: { cycle_id: cycleId, code: 'vault_sealed' },
  });

  const failures = await api.call('GET', '/v1/federation/failures?backend=main');
  const [failure] = failures.body.items;
  expect(failure).toMatchObject({
    backend: 'main',
    cycle_id: cycleId,
    stage: 'discover',
    shard: null,
    state: 'failed',
  });
  vault.unseal();
  const replayed = await api.call('POST', `/v1/federation/failures/${failure.id}/replay`);
  expect(replayed).toMatchObject({
    status: 202,
    body: { resumed: false, cycle: { replay_of: cycleId, backend: 'main' } },
  });
  await api.work();
  expect((await api.call('GET', `${backend}/status`)).body).toMatchObject({ status: 'healthy', last_error: null });
  expect((await api.call('GET', '/v1/federation/failures')).body.items).toEqual([]);
});

test('a secret that fails is told by path, and makes the backend degraded', async () => {
  const fault = vault.faults.inject({
    path: 'secret/data/bifrost/team/key-1',
    effect: { kind: 'status', status: 403 },
  });
  vault.kv('secret').put('bifrost/team/key-1', { value: `${value}-changed` });
  const cycleId = await synced();
  fault.remove();
  const { body } = await api.call('GET', `/v1/federation/cycles/${cycleId}/issues`);
  expect(body).toMatchObject({
    items: [{ remote_path: 'bifrost/team/key-1', outcome: 'failed', code: 'vault_forbidden' }],
    next_cursor: null,
  });
  expect((await api.call('GET', `${backend}/status`)).body.status).toBe('degraded');
});

test('cycles are listed newest first, page by page, of one backend and of all', async () => {
  const all = (await api.call('GET', '/v1/federation/cycles')).body.items;
  const times = all.map(({ opened_at }: { opened_at: string }) => opened_at);
  expect(times).toEqual([...times].sort().reverse());
  const ids: string[] = [];
  let cursor = '';
  do {
    const { body } = await api.call('GET', `${backend}/cycles?limit=1${cursor && `&cursor=${cursor}`}`);
    ids.push(...body.items.map(({ id }: { id: string }) => id));
    cursor = body.next_cursor;
  } while (cursor);
  expect(ids).toEqual(all.map(({ id }: { id: string }) => id));
  const failed = (await api.call('GET', `${backend}/cycles?state=failed`)).body.items;
  expect(failed).toHaveLength(1);
});

test('keys gone in great number are held, shown with their paths, and go at a person’s word', async () => {
  const kv = vault.kv('secret');
  for (let number = 1; number <= 9; number++) kv.deleteMetadata(`bifrost/team/key-${number}`);
  await synced();
  const { body } = await api.call('GET', '/v1/federation/holds');
  const [hold] = body.items;
  expect(hold).toMatchObject({ backend: 'main', state: 'open', candidates: 9, keys: 10 });
  expect((await api.call('GET', `${backend}/status`)).body).toMatchObject({
    status: 'degraded',
    open_hold: { id: hold.id },
  });
  const detail = await api.call('GET', `/v1/federation/holds/${hold.id}`);
  expect(detail.body.listed).toHaveLength(9);
  expect(detail.body.listed[0]).toEqual({ path: 'bifrost/team/key-1', cause: 'absent' });

  const approved = await api.call('POST', `/v1/federation/holds/${hold.id}/approve`);
  expect(approved).toMatchObject({
    status: 202,
    body: { hold: { state: 'approved', decided_by: 'api-token' }, cycle: { backend: 'main', state: 'open' } },
  });
  await api.work();
  expect((await api.call('GET', '/v1/keys?state=deprecated')).body.items).toHaveLength(9);
  const again = await api.call('POST', `/v1/federation/holds/${hold.id}/approve`);
  expect(again).toMatchObject({ status: 409, body: { error: { code: 'hold_over' } } });
});

test('a backend with many keys is removed only with a word about them and a second one, and they go to the archive', async () => {
  const refused = await api.call('DELETE', backend);
  expect(refused).toMatchObject({
    status: 409,
    body: { error: { code: 'backend_has_keys', details: { live_keys: 10 } } },
  });
  const preview = await api.call('DELETE', `${backend}?archive_keys=true&dry_run=true`);
  expect(preview).toMatchObject({ status: 200, body: { backend: 'main', live_keys: 10, would_hold: true } });
  const { status, body } = await api.call('DELETE', `${backend}?archive_keys=true`);
  expect({ status, body }).toMatchObject({ status: 202, body: { held: { kind: 'removal', candidates: 10 } } });
  expect((await api.call('GET', backend)).status).toBe(200);
  expect((await api.call('GET', '/v1/keys?state=archived')).body.items).toHaveLength(0);

  const approved = await api.call('POST', `/v1/federation/holds/${body.held.id}/approve`);
  expect(approved).toMatchObject({ status: 202, body: { hold: { state: 'approved' }, cycle: null } });
  expect((await api.call('GET', backend)).status).toBe(404);
  expect((await api.call('GET', '/v1/keys?state=archived')).body.items).toHaveLength(10);
  const events = (await api.call('GET', '/v1/events?limit=500')).body.items;
  expect(events.at(-1)).toMatchObject({ type: 'keys.archived', subject: 'main', data: { cycle_id: null } });
  expect(events.at(-1).data.paths).toHaveLength(10);
});

test('events are read on from a place, each one a CloudEvent of a known shape', async () => {
  const all = (await api.call('GET', '/v1/events')).body;
  expect(all.items.length).toBeGreaterThan(8);
  for (const event of all.items) expect(cloudEvent.parse(event)).toEqual(event);
  const numbers = all.items.map(({ sequence }: { sequence: string }) => Number(sequence));
  expect(numbers).toEqual(numbers.map((_: number, index: number) => index + 1));

  const first = (await api.call('GET', '/v1/events?limit=3')).body;
  const rest = (await api.call('GET', `/v1/events?after=${first.next}`)).body;
  expect([...first.items, ...rest.items]).toEqual(all.items);
  const end = (await api.call('GET', '/v1/events?after=now')).body;
  expect(end).toEqual({ items: [], next: all.next });
  expect((await api.call('GET', `/v1/events?after=${end.next}`)).body).toEqual({ items: [], next: end.next });
});

test('values are in no answer and in no line of the log', async () => {
  for (const path of [
    '/v1/keys',
    '/v1/events',
    '/v1/federation/cycles',
    `/v1/keys/${encodeURIComponent('bifrost/odd name #1%?')}`,
  ])
    expect(JSON.stringify((await api.call('GET', path)).body)).not.toContain('canary');
  expect(api.lines.join('\n')).not.toContain('canary');
});
