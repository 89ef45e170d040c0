import { expect, test } from 'vitest';
import { readOnly, startBench } from './harness.ts';
import { failureOf, listAll, patient, readOne, scope } from './support.ts';

async function benchWithMount(options = {}) {
  const bench = await startBench(options);
  return { ...bench, kv: bench.vault.mounts.enable('secret', { type: 'kv', version: 2 }) };
}

test('every folder is walked, and each secret listed once', async () => {
  const { kv, connect } = await benchWithMount();
  kv.seed(1203, (index) => ({ path: `a/${index % 7}/b/${index}`, data: { value: 'x' } }));
  kv.put('a', { value: 'a secret beside a folder of its name' });
  const refs = await listAll(await connect(), { wantsRevision: () => false });
  expect(new Set(refs.map(({ path }) => path)).size).toBe(1204);
  expect(refs).toHaveLength(1204);
});

test('a listing may be larger than the metadata of one secret, within bounds', async () => {
  const { kv, vault, connect } = await benchWithMount();
  kv.put('a', { value: 'x' });
  const megabytes = (count: number) => 'n'.repeat(count * 1024 * 1024);
  const give = (name: string) =>
    vault.faults.inject({
      effect: { kind: 'garbage', body: JSON.stringify({ data: { keys: ['a', name] } }) },
      path: 'secret/metadata/',
    });
  const metadata = vault.faults.inject({
    effect: { kind: 'garbage', body: JSON.stringify({ data: { current_version: 1, filler: megabytes(5) } }) },
    path: 'secret/metadata/a',
  });
  const listing = give(megabytes(5));
  const refs = await listAll(await connect(), { wantsRevision: (path) => path === 'a' });
  expect(refs.map(({ path, revision }) => [path.length, revision])).toEqual([
    [1, null],
    [5 * 1024 * 1024, null],
  ]);
  expect(metadata.hits).toBe(1);
  const tooLarge = { code: 'vault_too_large', message: expect.stringContaining('larger than 4 MiB') };
  expect(await failureOf((await connect()).confirm('a', patient))).toMatchObject(tooLarge);
  listing.remove();
  give(megabytes(17));
  expect(await failureOf(listAll(await connect()))).toMatchObject({
    code: 'listing_incomplete',
    message: expect.stringContaining('larger than 16 MiB'),
  });
});

test('pages hold at most 500 refs', async () => {
  const { kv, connect } = await benchWithMount();
  kv.seed(1203, (index) => ({ path: `${index}`, data: { value: 'x' } }));
  const sizes: number[] = [];
  const backend = await connect();
  for await (const page of backend.list(scope({ wantsRevision: () => false }), patient)) sizes.push(page.length);
  expect(sizes).toEqual([500, 500, 203]);
});

test('only the wanted folders are walked, and only wanted paths listed', async () => {
  const { kv, connect, vault } = await benchWithMount();
  for (const path of ['bifrost/a', 'bifrost/skip', 'other/b', 'team/x/c']) kv.put(path, { value: 'x' });
  const refs = await listAll(await connect(), {
    folders: ['bifrost/', 'team/x/'],
    includes: (path) => path !== 'bifrost/skip',
  });
  expect(refs.map(({ path }) => path)).toEqual(['bifrost/a', 'team/x/c']);
  expect(vault.requests.all.some(({ path }) => path.includes('other'))).toBe(false);
});

test('a revision costs one metadata call, and is asked for only where it is wanted', async () => {
  const { kv, connect, calls } = await benchWithMount();
  for (const path of ['known', 'new']) kv.put(path, { value: 'x' });
  const refs = await listAll(await connect(), { wantsRevision: (path) => path === 'known' });
  expect(calls.metadata).toBe(1);
  expect(refs).toMatchObject([
    { path: 'known', version: '1', deleted: false },
    { path: 'new', version: null, revision: null, deleted: false },
  ]);
});

test('listing and reading give the same revision', async () => {
  const { kv, connect, clock } = await benchWithMount();
  kv.put('plain', { value: 'x' });
  kv.put('described', { value: 'x' }, { customMetadata: { owner: 'team', zone: 'b' }, deleteVersionAfter: '90d' });
  clock.advance(60);
  kv.put('plain', { value: 'y' });
  const backend = await connect();
  for (const ref of await listAll(backend)) {
    const { revision, version } = await readOne(backend, ref.path);
    expect({ revision, version }).toEqual({ revision: ref.revision, version: ref.version });
  }
});

test('the revision changes with the value, custom metadata, deletion and recreation', async () => {
  const { kv, connect, clock } = await benchWithMount();
  const backend = await connect();
  const revisions: unknown[] = [];
  const note = async () => revisions.push((await listAll(backend))[0]?.revision);
  kv.put('a', { value: '1' });
  await note();
  kv.put('a', { value: '2' });
  await note();
  kv.put('b', {}, {});
  kv.deleteMetadata('b');
  await note();
  expect(revisions[2]).toBe(revisions[1]);
  kv.delete('a');
  await note();
  kv.undelete('a');
  await note();
  expect(revisions[4]).toBe(revisions[1]);
  kv.destroy('a');
  await note();
  kv.deleteMetadata('a');
  clock.advance(1);
  kv.put('a', { value: '1' });
  await note();
  expect(new Set(revisions).size).toBe(5);
});

test('a soft-deleted, a destroyed and an expired secret are listed as deleted', async () => {
  const { kv, connect, clock } = await benchWithMount();
  for (const path of ['live', 'soft', 'destroyed']) kv.put(path, { value: 'x' });
  kv.put('short', { value: 'x' }, { deleteVersionAfter: 60 });
  kv.put('long', { value: 'x' }, { deleteVersionAfter: '1h' });
  kv.delete('soft');
  kv.destroy('destroyed');
  clock.advance(61);
  const refs = await listAll(await connect());
  expect(Object.fromEntries(refs.map(({ path, deleted }) => [path, deleted]))).toEqual({
    live: false,
    soft: true,
    destroyed: true,
    short: true,
    long: false,
  });
});

test('an empty mount and a folder that is not there are empty, complete listings', async () => {
  const { connect } = await benchWithMount();
  expect(await listAll(await connect(), { folders: ['nothing/'] })).toEqual([]);
});

test('a folder that may not be listed rejects the listing and is named', async () => {
  const { vault, kv, connect } = await benchWithMount();
  for (const path of ['open/a', 'closed/b']) kv.put(path, { value: 'x' });
  vault.policies.write('reader', { ...readOnly(), 'secret/metadata/closed/*': ['deny'] });
  const token = vault.tokens.create({ policies: ['reader'] });
  const backend = await connect({ auth: { method: 'token', token } });
  const failure = await failureOf(listAll(backend));
  expect(failure).toMatchObject({ code: 'listing_incomplete', failureClass: 'forbidden' });
  expect(failure.message).toContain('folder "closed/"');
});

test.for([
  ['cut', { kind: 'cut' }, 'invalid'],
  ['garbage', { kind: 'garbage' }, 'invalid'],
  ['of another shape', { kind: 'garbage', body: '{"data":{"keys":"a"}}', contentType: 'application/json' }, 'invalid'],
  ['without data', { kind: 'garbage', body: '{}', contentType: 'application/json' }, 'invalid'],
  [
    'an empty name',
    { kind: 'garbage', body: '{"data":{"keys":["a",""]}}', contentType: 'application/json' },
    'invalid',
  ],
  ['500', { kind: 'status', status: 500, body: { errors: ['internal error'] } }, 'unavailable'],
  ['429', { kind: 'status', status: 429, body: { errors: [] } }, 'throttled'],
  ['404 with words', { kind: 'status', status: 404, body: { errors: ['unsupported path'] } }, 'invalid'],
  ['404 of a proxy', { kind: 'status', status: 404, body: '<html>not found</html>' }, 'invalid'],
  ['404 with warnings', { kind: 'status', status: 404, body: '{"errors":[],"warnings":["what"]}' }, 'invalid'],
  ['reset', { kind: 'reset' }, 'unavailable'],
  ['reset in the body', { kind: 'reset_in_body' }, 'unavailable'],
  ['truncated', { kind: 'truncate' }, 'unavailable'],
] as const)('a folder whose answer is %s rejects the listing', async ([, effect, failureClass]) => {
  const { vault, kv, connect } = await benchWithMount();
  for (const path of ['a/x', 'b/y']) kv.put(path, { value: 'x' });
  vault.faults.inject({ effect: effect as never, path: 'secret/metadata/b/', operation: 'list' });
  const failure = await failureOf(listAll(await connect()));
  expect(failure).toMatchObject({ code: 'listing_incomplete', failureClass });
  expect(failure.message).toContain('folder "b/"');
});

test('a metadata read that fails for its own reasons leaves the others alone', async () => {
  const { vault, kv, connect } = await benchWithMount();
  for (const path of ['a', 'b', 'c']) kv.put(path, { value: 'x' });
  vault.faults.inject({ effect: { kind: 'garbage' }, path: 'secret/metadata/b' });
  const refs = await listAll(await connect());
  expect(refs.map(({ revision }) => revision !== null)).toEqual([true, false, true]);
});

test('a metadata read that the vault is too busy for rejects the listing', async () => {
  const { vault, kv, connect } = await benchWithMount();
  for (const path of ['a', 'b']) kv.put(path, { value: 'x' });
  vault.faults.inject({ effect: { kind: 'status', status: 429 }, path: 'secret/metadata/b' });
  const failure = await failureOf(listAll(await connect()));
  expect(failure).toMatchObject({ code: 'listing_incomplete', failureClass: 'throttled' });
});

test('where no metadata may be read it is soon not asked for', async () => {
  const { vault, kv, connect, calls } = await benchWithMount();
  kv.seed(200, (index) => ({ path: `${index}`, data: { value: 'x' } }));
  vault.policies.write('names', { 'secret/metadata/': ['list'], 'secret/data/*': ['read'] });
  const token = vault.tokens.create({ policies: ['names'] });
  const backend = await connect({ auth: { method: 'token', token } });
  const refs = await listAll(backend);
  expect(refs).toHaveLength(200);
  expect(refs.every(({ revision, deleted }) => revision === null && !deleted)).toBe(true);
  expect(calls.metadata).toBeLessThan(20);
});

test('a secret that vanishes between listing and metadata is left to the reading', async () => {
  const { vault, kv, connect } = await benchWithMount();
  kv.put('a', { value: 'x' });
  vault.faults.inject({ effect: { kind: 'status', status: 404, body: { errors: [] } }, path: 'secret/metadata/a' });
  expect(await listAll(await connect())).toEqual([
    { path: 'a', facts: null, version: null, revision: null, deleted: false },
  ]);
});

test('names that no URL can carry are shown, and never asked for as another path', async () => {
  const { vault, connect, kv } = await benchWithMount();
  kv.put('b', { value: 'the other secret' });
  const body = JSON.stringify({ data: { keys: ['a/', '..', '../', './', 'b'] } });
  vault.faults.inject({ effect: { kind: 'garbage', body }, path: 'secret/metadata/', operation: 'list' });
  const backend = await connect();
  const refs = await listAll(backend);
  expect(refs.map(({ path }) => path)).toEqual(['../', '..', './', 'b'].sort());
  for (const path of ['..', 'x/../b', 'x//b', 'a/\ud800'])
    expect(await failureOf(readOne(backend, path))).toMatchObject({ code: 'vault_invalid' });
});

test('a consumer that stops early ends the calls, and an abort rejects with its reason', async () => {
  const { vault, kv, connect } = await benchWithMount();
  kv.seed(600, (index) => ({ path: `${index}`, data: { value: 'x' } }));
  const backend = await connect();
  for await (const page of backend.list(scope({ wantsRevision: () => false }), patient)) {
    expect(page).toHaveLength(500);
    break;
  }
  vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/metadata/*', operation: 'list' });
  const controller = new AbortController();
  const reason = new Error('enough');
  const listing = backend.list(scope(), controller.signal)[Symbol.asyncIterator]().next();
  controller.abort(reason);
  await expect(listing).rejects.toBe(reason);
});
