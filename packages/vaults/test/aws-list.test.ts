import { expect, test } from 'vitest';
import { startAwsBench } from './aws-harness.ts';
import { failureOf, listAll, patient, readOne } from './support.ts';

async function benchWith(names: readonly string[]) {
  const bench = await startAwsBench();
  for (const name of names) bench.vault.secrets.put(name, 'x');
  return { ...bench, backend: await bench.connect() };
}

const pathsOf = (refs: readonly { path: string }[]) => refs.map(({ path }) => path);

test('folders are asked for by name, with and without a slash in front, so that no page of others is fetched', async () => {
  const others = Array.from({ length: 250 }, (_, index) => `other/${index}`);
  const { backend, vault } = await benchWith(['bifrost/a', ...others, '/bifrost/b', 'bifrost', 'bifrost-2/c', 'two/d']);
  expect(pathsOf(await listAll(backend, { folders: ['bifrost/', 'two/'] }))).toEqual([
    '/bifrost/b',
    'bifrost/a',
    'two/d',
  ]);
  expect(vault.requests.counts).toEqual({ ListSecrets: 1 });
});

test.for([
  ['more folders than fit a filter', Array.from({ length: 6 }, (_, index) => `folder-${index}/`)],
  ['a folder that no secret can be in', ['with space/', 'folder-1/']],
] as const)('with %s everything is asked for, and what is wanted is listed', async ([, folders]) => {
  const { backend, vault } = await benchWith([
    'folder-1/a',
    'folder-9/b',
    ...Array.from({ length: 150 }, (_, i) => `o/${i}`),
  ]);
  expect(pathsOf(await listAll(backend, { folders }))).toEqual(['folder-1/a']);
  expect(vault.requests.counts).toEqual({ ListSecrets: 2 });
});

test('the version is the one that holds AWSCURRENT, also while another one is pending', async () => {
  const { backend, vault } = await benchWith([]);
  const current = vault.secrets.put('a', 'one');
  vault.secrets.put('a', 'two', { stages: ['AWSPENDING'] });
  const [ref] = await listAll(backend);
  expect(ref).toMatchObject({ version: current, deleted: false });
  expect((await readOne(backend, 'a')).version).toBe(current);
});

test('the revision changes with a tag, and not with the order of tags', async () => {
  const { backend, vault } = await benchWith([]);
  vault.secrets.put('a', 'x', { tags: { owner: 'search', tier: 'gold' } });
  const revision = async () => (await listAll(backend))[0]?.revision;
  const first = await revision();
  vault.secrets.tag('a', { tier: 'gold', owner: 'search' });
  expect(await revision()).toBe(first);
  vault.secrets.tag('a', { owner: 'billing', tier: 'gold' });
  expect(await revision()).not.toBe(first);
});

test('tags and the end that one of them tells come with the listing', async () => {
  const { backend, vault } = await benchWith([]);
  vault.secrets.put('a', 'x', { tags: { owner: 'search', expires_at: '2026-06-01' } });
  expect(await listAll(backend)).toMatchObject([
    { facts: { metadata: { owner: 'search', expires_at: '2026-06-01' }, expiresAt: '2026-06-01T00:00:00.000Z' } },
  ]);
});

test('what is scheduled for deletion is listed as deleted, and so is what has no value', async () => {
  const { backend, vault } = await benchWith(['removed']);
  vault.secrets.remove('removed');
  vault.secrets.createEmpty('empty');
  expect(await listAll(backend)).toMatchObject([
    { path: 'empty', version: null, revision: null, deleted: true },
    { path: 'removed', deleted: true },
  ]);
  for (const path of ['empty', 'removed']) {
    expect(await backend.confirm(path, patient)).toBe('deleted');
    expect(await failureOf(readOne(backend, path))).toMatchObject({ code: 'vault_deleted' });
  }
});

test('a page token that AWS does not take any more rejects the listing', async () => {
  const { backend, vault } = await benchWith(Array.from({ length: 201 }, (_, index) => `${index}`));
  vault.faults.inject({
    effect: { kind: 'status', status: 400, body: { __type: 'InvalidNextTokenException' } },
    operation: 'ListSecrets',
    skip: 1,
  });
  const failure = await failureOf(listAll(backend));
  expect(failure).toMatchObject({ code: 'listing_incomplete', failureClass: 'invalid' });
  expect(failure.message).toContain('page 2');
});

test('a listing that goes in circles over several pages rejects', async () => {
  const { backend, vault } = await benchWith([]);
  for (const NextToken of ['one', 'two', 'one'])
    vault.faults.inject({
      effect: { kind: 'garbage', body: JSON.stringify({ SecretList: [], NextToken }) },
      operation: 'ListSecrets',
      times: 1,
    });
  const failure = await failureOf(listAll(backend));
  expect(failure).toMatchObject({ code: 'listing_incomplete', failureClass: 'invalid' });
  expect(failure.message).toContain('page 3');
});

test('a listing that goes in circles rejects', async () => {
  const { backend, vault } = await benchWith([]);
  vault.faults.inject({
    effect: { kind: 'garbage', body: JSON.stringify({ SecretList: [], NextToken: 'again' }) },
    operation: 'ListSecrets',
  });
  expect(await failureOf(listAll(backend))).toMatchObject({ code: 'listing_incomplete', failureClass: 'invalid' });
});

test.for([
  ['no name', { ARN: 'arn', SecretVersionsToStages: {} }],
  ['a name of another kind', { Name: 7, SecretVersionsToStages: {} }],
  ['stages of another kind', { Name: 'a', SecretVersionsToStages: { v: 'AWSCURRENT' } }],
  ['tags of another kind', { Name: 'a', SecretVersionsToStages: {}, Tags: [{ Key: 1 }] }],
] as const)('an entry with %s rejects the listing', async ([, entry]) => {
  const { backend, vault } = await benchWith([]);
  vault.faults.inject({
    effect: { kind: 'garbage', body: JSON.stringify({ SecretList: [entry] }) },
    operation: 'ListSecrets',
  });
  expect(await failureOf(listAll(backend))).toMatchObject({ code: 'listing_incomplete', failureClass: 'invalid' });
});

test('a secret that AWS shows on two pages is listed once', async () => {
  const { backend, vault } = await benchWith(['a']);
  const entry = { Name: 'b', SecretVersionsToStages: { v1: ['AWSCURRENT'] } };
  const page = (NextToken?: string) =>
    ({ kind: 'garbage', body: JSON.stringify({ SecretList: [entry], NextToken }) }) as const;
  vault.faults.inject({ effect: page('more'), operation: 'ListSecrets', times: 1 });
  vault.faults.inject({ effect: page(), operation: 'ListSecrets', times: 1 });
  expect(pathsOf(await listAll(backend))).toEqual(['b']);
});
