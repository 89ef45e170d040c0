import { expect, test } from 'vitest';
import { answering, type GcpBench, startBench } from './gcp-bench.ts';
import { failureOf, fetchAll, listAll, patient, readOne } from './support.ts';

const nameIn = ({ vault }: GcpBench, id: string, version = '1') =>
  `projects/${vault.projectNumber()}/secrets/${id}/versions/${version}`;

async function benchWithAnswer(answer: (bench: GcpBench) => object) {
  const bench = await startBench();
  bench.secrets.put('a', 'x');
  bench.vault.faults.inject({ operation: 'AccessSecretVersion', effect: answering(answer(bench)) });
  return bench.connect();
}

const data = Buffer.from('canary').toString('base64');

test.for<[string, (bench: GcpBench) => object]>([
  ['of a wrong checksum', (bench) => ({ name: nameIn(bench, 'a'), payload: { data, dataCrc32c: '1' } })],
  ['without a checksum', (bench) => ({ name: nameIn(bench, 'a'), payload: { data } })],
  ['of another secret', (bench) => ({ name: nameIn(bench, 'b'), payload: { data, dataCrc32c: '345' } })],
  ['of no version', (bench) => ({ name: nameIn(bench, 'a', 'latest'), payload: { data, dataCrc32c: '345' } })],
  ['without a payload', (bench) => ({ name: nameIn(bench, 'a') })],
  ['of something else', () => ({ data: 'canary' })],
  ['in another form', (bench) => ({ name: nameIn(bench, 'a'), payload: 'canary' })],
])('an answer %s is no value', async ([, answer]) => {
  const failure = await failureOf(readOne(await benchWithAnswer(answer), 'a'));
  expect(failure).toMatchObject({ code: 'vault_invalid', message: expect.not.stringContaining('canary') });
});

test('labels and annotations come together, and of one name the label keeps it', async () => {
  const { secrets, connect, calls } = await startBench();
  secrets.put('a', 'x', {
    labels: { team: 'search', tier: 'gold' },
    annotations: { team: 'Search & Ads', Owner: 'a@b' },
  });
  const backend = await connect();
  const metadata = { team: 'search', tier: 'gold', 'annotation:team': 'Search & Ads', Owner: 'a@b' };
  const refs = await listAll(backend);
  expect(refs[0]?.facts).toMatchObject({ metadata, expiresAt: null });
  for await (const outcome of backend.fetch(refs, patient)) expect(outcome).toMatchObject({ reading: { metadata } });
  expect(calls.metadata).toBeUndefined();
  expect(await readOne(backend, 'a')).toMatchObject({ metadata, version: '1' });
  expect(calls.metadata).toBe(1);
});

test('the end is the secret’s own or a written one, whichever comes first', async () => {
  const { secrets, connect } = await startBench();
  const end = (day: number) => new Date(Date.UTC(2027, 0, day));
  secrets.put('own', 'x', { expiresAt: end(2), annotations: { expires_at: '2027-01-03' } });
  secrets.put('label', 'x', { expiresAt: end(2), labels: { expires_at: '2027-01-01' } });
  secrets.put('annotation', 'x', {
    labels: { expires_at: '2027-01-05' },
    annotations: { expires_at: '2027-01-04T00:00:00Z' },
  });
  secrets.put('nonsense', 'x', { labels: { expires_at: 'never' } });
  const backend = await connect();
  const ends = { own: end(2), label: end(1), annotation: end(4), nonsense: null };
  for (const [path, expiresAt] of Object.entries(ends))
    expect((await readOne(backend, path)).expiresAt, path).toEqual(expiresAt);
  for (const { path, facts } of await listAll(backend))
    expect(facts?.expiresAt ?? null, path).toBe(ends[path as keyof typeof ends]?.toISOString() ?? null);
});

test('a reading of a later version comes after, and one of a secret that is made anew after all of them', async () => {
  const { secrets, clock, connect } = await startBench();
  const backend = await connect();
  const times: number[] = [];
  const read = async () => times.push((await readOne(backend, 'a')).createdAt?.getTime() ?? Number.NaN);
  for (const value of ['one', 'two']) {
    secrets.put('a', value);
    await read();
  }
  clock.advance(60);
  secrets.delete('a');
  secrets.put('a', 'three');
  await read();
  expect(times).toEqual([...times].sort());
  expect(new Set(times).size).toBe(3);
});

test('a number of a version beyond all time tells no time', async () => {
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'x');
  const backend = await connect();
  const name = 'projects/1/secrets/a/versions/99999999999999999999';
  const payload = { data: 'eA==', dataCrc32c: '2839306131' };
  vault.faults.inject({ operation: 'AccessSecretVersion', effect: answering({ name, payload }) });
  expect((await readOne(backend, 'a')).createdAt).toBeNull();
});

test('a value says what it is', async () => {
  const { secrets, connect } = await startBench();
  secrets.put('json', '{"a":1}');
  secrets.put('text', 'sk-1');
  secrets.put('bytes', Buffer.from([0xff, 0]));
  const backend = await connect();
  const typeOf = async (path: string) => (await readOne(backend, path)).contentType;
  expect([await typeOf('json'), await typeOf('text'), await typeOf('bytes')]).toEqual([
    'application/json',
    'text/plain',
    'application/octet-stream',
  ]);
});

test('a secret without a version can’t be read, but is there', async () => {
  const { secrets, connect } = await startBench();
  secrets.create('a');
  const backend = await connect();
  expect((await listAll(backend)).map(({ path }) => path)).toEqual(['a']);
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_not_found' });
  expect(await backend.confirm('a', patient)).toBe('present');
  expect(await backend.versions('a', patient)).toEqual([]);
});

test('a version that waits for its destruction is deleted, though an older one is there', async () => {
  const { secrets, clock, connect } = await startBench();
  secrets.put('a', 'one');
  secrets.put('a', 'two', { versionDestroySeconds: 86_400 });
  secrets.setState('a', 'DESTROYED');
  const backend = await connect();
  expect(await backend.confirm('a', patient)).toBe('deleted');
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_disabled' });
  expect(await backend.versions('a', patient)).toMatchObject([
    { version: '2', state: 'deleted', current: true },
    { version: '1', state: 'available', current: false },
  ]);
  clock.advance(86_401);
  expect(await backend.confirm('a', patient)).toBe('deleted');
  expect((await backend.versions('a', patient))[0]).toMatchObject({ state: 'destroyed' });
});

test('who may not look at versions sees all the same that a secret is there', async () => {
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'x');
  vault.identities.deny(vault.owner, { permission: 'secretmanager.versions.get' });
  const backend = await connect();
  expect(await backend.confirm('a', patient)).toBe('present');
  expect(await backend.confirm('b', patient)).toBe('absent');
});

test('absence needs the project to be seen, by one look for all who wait', async () => {
  const { vault, secrets, connect, calls } = await startBench();
  secrets.put('a', 'x');
  const backend = await connect();
  const found = await fetchAll(
    backend,
    Array.from({ length: 40 }, (_, index) => `gone-${index}`),
  );
  expect(new Set(found.values())).toEqual(new Set(['vault_not_found']));
  expect(calls.detect).toBeLessThan(20);
  vault.identities.deny(vault.owner, { permission: 'secretmanager.secrets.list' });
  expect(await failureOf(backend.confirm('b', patient))).toMatchObject({ code: 'container_unproven' });
  expect(await failureOf(readOne(backend, 'b'))).toMatchObject({ code: 'container_unproven' });
  expect(await failureOf(backend.remove('b', patient))).toMatchObject({ code: 'container_unproven' });
});

test('another API of Google’s, which says that there is no such method, is no proof of absence', async () => {
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'x');
  const backend = await connect();
  await readOne(backend, 'a');
  const body = { error: { code: 404, message: 'Method not found.', status: 'NOT_FOUND' } };
  vault.faults.inject({ when: ({ operation }) => operation !== 'Token', effect: answering(body, 404) });
  expect(await failureOf(backend.confirm('a', patient))).toMatchObject({ code: 'container_missing' });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'container_missing' });
  expect(await failureOf(listAll(backend))).toMatchObject({ code: 'container_missing' });
});

test('aliases label the versions that they name', async () => {
  const { secrets, connect } = await startBench();
  secrets.put('a', 'one');
  secrets.put('a', 'two', { versionAliases: { stable: 1, old: 1, next: 2 } });
  const versions = await (await connect()).versions('a', patient);
  expect(versions.map(({ labels }) => labels)).toEqual([['next'], ['stable', 'old']]);
  expect(versions[0]?.createdAt).toEqual(new Date('2026-03-01T12:00:00Z'));
});

test('a probe tells the number of the project where a secret shows it', async () => {
  const { vault, secrets, connect, calls } = await startBench();
  const backend = await connect();
  expect(await backend.probe(patient)).toMatchObject({ container: 'present', containerId: null, server: null });
  secrets.put('a', 'x');
  expect(await backend.probe(patient)).toMatchObject({ containerId: vault.projectNumber() });
  expect(calls).toEqual({ login: 1, probe: 2 });
});

test('a project where the API is off, or that can’t be seen, is told as that', async () => {
  const { vault, connect } = await startBench();
  const backend = await connect();
  const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'SERVICE_DISABLED' }];
  const body = { error: { code: 403, status: 'PERMISSION_DENIED', message: 'canary', details } };
  const off = vault.faults.inject({ operation: 'ListSecrets', effect: answering(body, 403) });
  expect(await failureOf(backend.probe(patient))).toMatchObject({
    code: 'container_missing',
    message: expect.stringContaining('not enabled'),
  });
  off.remove();
  vault.createProject('not-mine-123');
  const stranger = await connect({ project_id: 'not-mine-123' });
  expect(await stranger.probe(patient)).toMatchObject({ container: 'unproven', containerId: null });
  expect(await failureOf(listAll(stranger))).toMatchObject({ failureClass: 'forbidden' });
});
