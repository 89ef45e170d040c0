import { expect, test } from 'vitest';
import { answering, startBench } from './gcp-bench.ts';
import { failureOf, fetchAll, listAll, patient } from './support.ts';

test('100,000 secrets are twenty calls, beside the 100,000 that read them', async () => {
  const { secrets, connect, calls, asked } = await startBench();
  secrets.seed(100_000, (index) => ({ id: `app--group-${index % 100}--key-${index}`, value: 'x' }));
  const backend = await connect();
  const refs = await listAll(backend);
  expect(refs).toHaveLength(100_000);
  expect(refs[0]).toMatchObject({ path: 'app/group-0/key-0', version: null, revision: null, deleted: false });
  expect([calls.list, asked('ListSecrets')]).toEqual([20, 20]);
});

test('the separator stands for a slash, and an empty one for nothing', async () => {
  const { secrets, connect } = await startBench();
  for (const id of ['a--b', 'a__b', '--a', 'a----b']) secrets.put(id, id);
  const paths = async (separator: string) => (await listAll(await connect({ separator }))).map(({ path }) => path);
  expect(await paths('--')).toEqual(['--a', 'a----b', 'a/b', 'a__b']);
  expect(await paths('__')).toEqual(['--a', 'a----b', 'a--b', 'a/b']);
  expect(await paths('')).toEqual(['--a', 'a----b', 'a--b', 'a__b']);
  const found = await fetchAll(await connect(), ['a/b', '--a', 'a----b']);
  expect([...found.values()].sort()).toEqual(['--a', 'a----b', 'a--b']);
  expect(await (await connect({ separator: '' })).confirm('a/b', patient).catch((error) => error.code)).toBe(
    'vault_invalid',
  );
});

test.for<[string, object]>([
  ['a page of another API', { items: [{ name: 'canary' }] }],
  ['an error in the place of a page', { error: { code: 500, message: 'canary' } }],
  ['a list', []],
  ['an entry without a name', { secrets: [{ etag: 'canary' }] }],
  ['an entry of something else', { secrets: [{ name: 'projects/1/topics/canary' }] }],
  ['a page that leads nowhere', { secrets: 'canary' }],
])('%s is no listing', async ([, body]) => {
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'x');
  vault.faults.inject({ operation: 'ListSecrets', effect: answering(body) });
  const failure = await failureOf(listAll(await connect()));
  expect(failure).toMatchObject({
    code: 'listing_incomplete',
    failureClass: 'invalid',
    message: expect.not.stringContaining('canary'),
  });
});

test('pages that lead in a circle end the listing', async () => {
  const { vault, connect, asked } = await startBench();
  const page = (nextPageToken: string) => ({ secrets: [{ name: 'projects/1/secrets/a' }], nextPageToken });
  for (const token of ['one', 'two', 'one'])
    vault.faults.inject({ operation: 'ListSecrets', effect: answering(page(token)), times: 1 });
  const failure = await failureOf(listAll(await connect()));
  expect(failure).toMatchObject({ code: 'listing_incomplete', failureClass: 'invalid' });
  expect(asked('ListSecrets')).toBe(3);
});

test('a page that leads to itself ends the listing', async () => {
  const { vault, connect } = await startBench();
  const page = { secrets: [{ name: 'projects/1/secrets/a' }], nextPageToken: 'again' };
  const fault = vault.faults.inject({ operation: 'ListSecrets', effect: answering(page) });
  expect(await failureOf(listAll(await connect()))).toMatchObject({ code: 'listing_incomplete' });
  expect(fault.hits).toBe(2);
});

test('the limit of a minute is told as that, and apart for reading and listing', async () => {
  const { vault, secrets, connect } = await startBench();
  for (const id of ['a', 'b']) secrets.put(id, 'x');
  vault.setQuota({ read: 1, access: 100 });
  const backend = await connect();
  const refs = await listAll(backend);
  expect(await failureOf(listAll(backend))).toMatchObject({ failureClass: 'throttled' });
  for await (const outcome of backend.fetch(refs, patient)) expect(outcome).toHaveProperty('reading');
});

test('secrets of a location are apart, and at an address of their own', async () => {
  const { vault, secrets, connect } = await startBench();
  secrets.put('global', 'x');
  vault.secrets({ location: 'europe-west3' }).put('regional', 'x');
  const backend = await connect({ location: 'europe-west3' });
  expect((await listAll(backend)).map(({ path }) => path)).toEqual(['regional']);
  expect(await backend.probe(patient)).toMatchObject({ containerId: vault.projectNumber() });
});
