import { expect, test } from 'vitest';
import { crc32c } from '../src/gcp/crc32c.ts';
import { type GcpBench, payload, startBench } from './gcp-client.ts';

const automatic = { replication: { automatic: {} } };

const create = ({ ask }: GcpBench, id: string, secret: object = automatic) =>
  ask(`/secrets?secretId=${id}`, { body: secret });

test('a secret is created, given versions, read and deleted', async () => {
  const bench = await startBench();
  const { gcp, ask } = bench;
  const parent = `projects/${gcp.projectNumber()}`;
  const created = await create(bench, 'app', { ...automatic, labels: { team: 'a' }, annotations: { 'Owner.x': 'Ö!' } });
  expect(created).toMatchObject({
    status: 200,
    body: { name: `${parent}/secrets/app`, labels: { team: 'a' }, annotations: { 'Owner.x': 'Ö!' }, replication: {} },
  });
  expect(created.body.createTime).toMatch(/^2026-01-01T00:00:00\.\d{6}Z$/);
  const added = await ask('/secrets/app:addVersion', { body: payload('one') });
  expect(added.body).toMatchObject({ name: `${parent}/secrets/app/versions/1`, state: 'ENABLED' });
  await ask('/secrets/app:addVersion', { body: payload('two') });
  const { body } = await ask('/secrets/app/versions/latest:access');
  expect(body).toEqual({
    name: `${parent}/secrets/app/versions/2`,
    payload: { data: Buffer.from('two').toString('base64'), dataCrc32c: String(crc32c(Buffer.from('two'))) },
  });
  expect((await ask('/secrets/app/versions/1:access')).body.name).toBe(`${parent}/secrets/app/versions/1`);
  const { versions, totalSize } = (await ask('/secrets/app/versions')).body;
  expect([versions.map(({ name }: { name: string }) => name.slice(-1)), totalSize]).toEqual([['2', '1'], 2]);
  expect(await ask('/secrets/app', { method: 'DELETE' })).toMatchObject({ status: 200, body: {} });
  expect((await ask('/secrets/app')).body.error).toEqual({
    code: 404,
    message: `Secret [${parent}/secrets/app] not found.`,
    status: 'NOT_FOUND',
  });
});

test('the checksum is that of Castagnoli', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

test.for<[string, string, object | string, number]>([
  ['an id that the grammar has not', 'a.b', automatic, 400],
  ['an id that is too long', 'a'.repeat(256), automatic, 400],
  ['no replication', 'a', {}, 400],
  ['a label in capitals', 'a', { ...automatic, labels: { team: 'A' } }, 400],
  [
    '65 labels',
    'a',
    { ...automatic, labels: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`l${n}`, ''])) },
    400,
  ],
  ['an annotation’s key that ends in a dot', 'a', { ...automatic, annotations: { 'a.': '' } }, 400],
  ['annotations of more than 16 KiB', 'a', { ...automatic, annotations: { a: 'x'.repeat(16_384) } }, 400],
  ['an unknown member', 'a', { ...automatic, colour: 'red' }, 400],
  ['a label that is no text', 'a', { ...automatic, labels: { team: 7 } }, 400],
  ['an end in the past', 'a', { ...automatic, expireTime: '2020-01-01T00:00:00Z' }, 400],
  ['two ends', 'a', { ...automatic, expireTime: '2030-01-01T00:00:00Z', ttl: '600s' }, 400],
  ['broken JSON', 'a', '{', 400],
])('a secret with %s is refused', async ([, id, secret, status]) => {
  const { ask } = await startBench();
  const reply = await ask(`/secrets?secretId=${id}`, { body: secret });
  expect(reply).toMatchObject({ status, body: { error: { code: status, status: 'INVALID_ARGUMENT' } } });
});

test('the longest id, and a name that is taken', async () => {
  const bench = await startBench();
  expect((await create(bench, 'aZ0_-'.padEnd(255, 'x'))).status).toBe(200);
  expect((await create(bench, 'a')).status).toBe(200);
  const again = await create(bench, 'a');
  expect(again).toMatchObject({ status: 409, body: { error: { status: 'ALREADY_EXISTS' } } });
});

test('an unknown parameter of the query is refused, those of every API are not', async () => {
  const { ask } = await startBench();
  const { status, body } = await ask('/secrets?limit=1');
  expect([status, body.error.message]).toEqual([400, expect.stringContaining('Unknown name "limit"')]);
  expect((await ask('/secrets?page_size=1&$alt=json;enum-encoding=int&prettyPrint=false')).status).toBe(200);
});

test('states are numbers for those who ask for numbers', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().put('a', 'x');
  expect((await ask('/secrets/a/versions/1?$alt=json%3Benum-encoding=int')).body.state).toBe(1);
  expect((await ask('/secrets/a/versions/1')).body.state).toBe('ENABLED');
});

test.for<[string, object, number]>([
  ['nothing', { payload: { data: '' } }, 400],
  ['more than 64 KiB', payload('x'.repeat(65_537)), 400],
  ['a wrong checksum', { payload: { data: 'eA==', dataCrc32c: '1' } }, 400],
  ['what is no base64', { payload: { data: '*' } }, 400],
  ['an unknown member', { payload: { text: 'x' } }, 400],
])('a version of %s is refused', async ([, body, status]) => {
  const { gcp, ask } = await startBench();
  gcp.secrets().create('a');
  expect((await ask('/secrets/a:addVersion', { body })).status).toBe(status);
});

test('64 KiB with a right checksum are taken', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().create('a');
  const bytes = Buffer.alloc(65_536, 0xfe);
  const body = { payload: { data: bytes.toString('base64'), dataCrc32c: String(crc32c(bytes)) } };
  expect((await ask('/secrets/a:addVersion', { body })).body).toMatchObject({ clientSpecifiedPayloadChecksum: true });
});

test('disabled and destroyed versions are not read, and latest is the newest whatever its state', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().put('a', 'one');
  gcp.secrets().put('a', 'two');
  const name = `projects/${gcp.projectNumber()}/secrets/a/versions/2`;
  const { body } = await ask('/secrets/a/versions/2:disable', { body: {} });
  expect(body.state).toBe('DISABLED');
  const disabled = await ask('/secrets/a/versions/latest:access');
  expect(disabled.body.error).toEqual({
    code: 400,
    message: `Secret Version [${name}] is in DISABLED state.`,
    status: 'FAILED_PRECONDITION',
  });
  expect((await ask('/secrets/a/versions/2:enable', { body: { etag: body.etag } })).body.state).toBe('ENABLED');
  expect((await ask('/secrets/a/versions/2:destroy', { body: { etag: body.etag } })).status).toBe(400);
  expect((await ask('/secrets/a/versions/2:destroy', { body: {} })).body).toMatchObject({
    state: 'DESTROYED',
    destroyTime: expect.any(String),
  });
  expect((await ask('/secrets/a/versions/2:enable', { body: {} })).status).toBe(400);
  expect((await ask('/secrets/a/versions/latest:access')).body.error.message).toContain('DESTROYED');
  expect((await ask('/secrets/a/versions/1:access')).status).toBe(200);
  expect((await ask('/secrets/a/versions/3')).status).toBe(404);
});

test('a destruction can be delayed', async () => {
  const { gcp, clock, ask } = await startBench({ tokenSeconds: 200_000 });
  gcp.secrets().put('a', 'x', { versionDestroySeconds: 86_400 });
  const { body } = await ask('/secrets/a/versions/1:destroy', { body: {} });
  expect(body).toMatchObject({ state: 'DISABLED', scheduledDestroyTime: expect.any(String) });
  clock.advance(86_401);
  expect((await ask('/secrets/a/versions/1')).body).toMatchObject({
    state: 'DESTROYED',
    destroyTime: expect.any(String),
  });
});

test('a secret without versions is there, though nothing of it can be read', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().create('a');
  const { status, body } = await ask('/secrets/a/versions/latest:access');
  expect(status).toBe(404);
  expect(body.error.message).toContain('not found or has no versions');
  expect((await ask('/secrets/a')).status).toBe(200);
  expect((await ask('/secrets/a/versions')).body).toEqual({});
});

test('aliases name versions', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().put('a', 'one');
  gcp.secrets().put('a', 'two');
  const patched = await ask('/secrets/a?updateMask=versionAliases', {
    method: 'PATCH',
    body: { versionAliases: { stable: '1' } },
  });
  expect(patched.body.versionAliases).toEqual({ stable: '1' });
  const { body } = await ask('/secrets/a/versions/stable:access');
  expect(Buffer.from(body.payload.data, 'base64').toString()).toBe('one');
  const missing = { method: 'PATCH', body: { versionAliases: { stable: '7' } } };
  expect((await ask('/secrets/a?updateMask=versionAliases', missing)).status).toBe(400);
});

test('an update changes what its mask names, and an old etag stops it and a deletion', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().put('a', 'x', { labels: { team: 'a' } });
  const { etag } = (await ask('/secrets/a')).body;
  const update = (body: object) => ask('/secrets/a?updateMask=labels,annotations', { method: 'PATCH', body });
  const { body } = await update({ annotations: { owner: 'b' }, etag });
  expect(body).not.toHaveProperty('labels');
  expect(body.annotations).toEqual({ owner: 'b' });
  expect((await update({ etag })).body.error.status).toBe('FAILED_PRECONDITION');
  expect((await ask(`/secrets/a?etag=${encodeURIComponent(etag)}`, { method: 'DELETE' })).status).toBe(400);
  expect((await ask('/secrets/a?updateMask=name', { method: 'PATCH', body: {} })).status).toBe(400);
});

test('a secret vanishes at its end', async () => {
  const bench = await startBench();
  await create(bench, 'a', { ...automatic, ttl: '600s' });
  expect((await bench.ask('/secrets/a')).body.expireTime).toMatch(/^2026-01-01T00:10:00/);
  bench.clock.advance(601);
  expect((await bench.ask('/secrets/a')).status).toBe(404);
  expect((await bench.ask('/secrets')).body).toEqual({});
});

test('pages are in the order of creation, the newest first, and their tokens are good for their listing alone', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().seed(7, (index) => ({ id: `s${index}`, value: 'x' }));
  const idsOf = (body: { secrets?: { name: string }[] }) => (body.secrets ?? []).map(({ name }) => name.slice(-2));
  const first = (await ask('/secrets?pageSize=3')).body;
  expect([idsOf(first), first.totalSize]).toEqual([['s6', 's5', 's4'], 7]);
  gcp.secrets().delete('s5');
  gcp.secrets().put('new', 'x');
  const second = (await ask(`/secrets?pageSize=9&pageToken=${first.nextPageToken}`)).body;
  expect(idsOf(second)).toEqual(['s3', 's2', 's1', 's0']);
  expect(second).not.toHaveProperty('nextPageToken');
  const { status, body } = await ask(`/secrets?pageToken=${first.nextPageToken}&filter=name:s`);
  expect([status, body.error.message]).toEqual([400, 'The provided page token is invalid.']);
  expect((await ask('/secrets?pageToken=x')).status).toBe(400);
  expect((await ask('/secrets?pageSize=-1')).status).toBe(400);
});

test('a filter names part of a name, or labels', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().put('app-a', 'x', { labels: { team: 'a' } });
  gcp.secrets().put('app-b', 'x');
  expect((await ask('/secrets?filter=name:app labels.team=a')).body.secrets).toHaveLength(1);
  expect((await ask('/secrets?filter=name:app')).body.secrets).toHaveLength(2);
  expect((await ask('/secrets?filter=size>3')).status).toBe(400);
});

test('regional secrets are apart from the global ones', async () => {
  const { gcp, ask } = await startBench();
  const at = '/locations/europe-west3/secrets';
  expect((await ask(`${at}?secretId=a`, { body: automatic })).status).toBe(400);
  const { body } = await ask(`${at}?secretId=a`, { body: {} });
  expect(body.name).toBe(`projects/${gcp.projectNumber()}/locations/europe-west3/secrets/a`);
  expect(body).not.toHaveProperty('replication');
  expect((await ask('/secrets/a')).status).toBe(404);
  expect((await ask('/locations/nowhere/secrets')).status).toBe(400);
});

test('a project goes by its id and by its number, and one that is not there is forbidden', async () => {
  const { gcp, ask } = await startBench();
  gcp.secrets().put('a', 'x');
  expect((await ask(`/../${gcp.projectNumber()}/secrets/a`)).status).toBe(200);
  const { status, body } = await ask('/../no-such-project/secrets');
  expect(status).toBe(403);
  expect(body.error.details[0]).toMatchObject({ reason: 'CONSUMER_INVALID', domain: 'googleapis.com' });
});

test('a path of no API is no JSON', async () => {
  const { ask } = await startBench();
  const { status, body } = await ask('/secret');
  expect([status, body]).toEqual([404, expect.stringContaining('<!DOCTYPE html>')]);
});

test('quotas are of a minute and a project, and apart for access, reads and writes', async () => {
  const { gcp, clock, ask } = await startBench();
  gcp.secrets().put('a', 'x');
  gcp.setQuota({ access: 2, read: 1 });
  const access = () => ask('/secrets/a/versions/latest:access');
  expect([(await access()).status, (await access()).status]).toEqual([200, 200]);
  const { status, body } = await access();
  expect(status).toBe(429);
  expect(body.error).toMatchObject({ status: 'RESOURCE_EXHAUSTED', details: [{ reason: 'RATE_LIMIT_EXCEEDED' }] });
  expect([(await ask('/secrets')).status, (await ask('/secrets/a')).status]).toEqual([200, 429]);
  expect((await ask('/secrets/a:addVersion', { body: payload('y') })).status).toBe(200);
  clock.advance(60);
  expect((await access()).status).toBe(200);
});
