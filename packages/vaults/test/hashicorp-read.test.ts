import { expect, onTestFinished, test, vi } from 'vitest';
import { readOnly, startBench } from './harness.ts';
import { failureOf, fetchAll, listAll, patient, readOne, unlisted } from './support.ts';

async function benchWithMount(options = {}) {
  const bench = await startBench(options);
  return { ...bench, kv: bench.vault.mounts.enable('secret', { type: 'kv', version: 2 }) };
}

test('a value is JSON with its members sorted by name, at every level', async () => {
  const { kv, connect } = await benchWithMount();
  kv.put('a', { b: 1, a: { d: [1, { z: 1, y: 2 }], c: null }, '10': 'x', '9': 'y' });
  const { value, contentType } = await readOne(await connect(), 'a');
  expect(value.reveal().toString()).toBe('{"10":"x","9":"y","a":{"c":null,"d":[1,{"y":2,"z":1}]},"b":1}');
  expect(contentType).toBe('application/json');
});

test('numbers arrive as they were written', async () => {
  const { kv, connect } = await benchWithMount();
  const text = '{"a":12345678901234567890,"b":1.10,"c":-0,"d":1E400,"e":[0.1,1e2],"f":5,"g":"1.10"}';
  kv.put('a', text);
  const { value } = await readOne(await connect(), 'a');
  expect(value.reveal().toString()).toBe(text);
});

test('odd names are carried', async () => {
  const { kv, connect } = await benchWithMount();
  const names = [
    'with space',
    '50%',
    '%2F',
    'a#b',
    'a?b=c',
    'a&b;c',
    '&#x2F;',
    'ключ/日本語/🔑',
    "it's (odd)!*",
    'a+b',
  ];
  names.push('x'.repeat(512), 'name.with...dots');
  for (const name of names) kv.put(name, { value: name });
  const backend = await connect();
  const refs = await listAll(backend);
  expect(refs.map(({ path }) => path).sort()).toEqual([...names].sort());
  const found = await fetchAll(backend, names);
  for (const name of names) expect(found.get(name)).toBe(JSON.stringify({ value: name }));
  for (const name of names) expect(await backend.confirm(name, patient)).toBe('present');
});

test('a value of 1 MiB, one of 10,000 fields, an empty one and one with empty members are carried', async () => {
  const { kv, connect } = await benchWithMount();
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`field-${index}`, `${index}`]));
  kv.put('large', { value: 'x'.repeat(1024 * 1024) });
  kv.put('many', many);
  kv.put('empty', {});
  kv.put('blank', { value: '', none: null });
  const found = await fetchAll(await connect(), ['large', 'many', 'empty', 'blank']);
  expect(found.get('large')?.length).toBe(1024 * 1024 + '{"value":""}'.length);
  expect(JSON.parse(found.get('many') ?? '')).toEqual(many);
  expect(found.get('empty')).toBe('{}');
  expect(found.get('blank')).toBe('{"none":null,"value":""}');
});

test('an answer above 4 MiB, or nested beyond reason, is that secret’s own failure', async () => {
  const { kv, vault, connect } = await benchWithMount();
  for (const path of ['huge', 'large', 'deep', 'fine']) kv.put(path, { value: 'x' });
  const metadata = '"metadata":{"version":1,"created_time":"","deletion_time":"","destroyed":false}';
  const answer = (value: string) => `{"data":{"data":{"value":${value}},${metadata}}}`;
  const give = (path: string, body: string) =>
    vault.faults.inject({ effect: { kind: 'garbage', body }, path: `secret/data/${path}` });
  give('huge', answer(`"${'x'.repeat(4 * 1024 * 1024)}"`));
  const large = 'x'.repeat(4 * 1024 * 1024 - 1024);
  give('large', answer(`"${large}"`));
  give('deep', answer(`${'['.repeat(5_000)}${']'.repeat(5_000)}`));
  const found = await fetchAll(await connect(), ['huge', 'large', 'deep', 'fine']);
  expect(Object.fromEntries(found)).toEqual({
    huge: 'vault_too_large',
    large: `{"value":"${large}"}`,
    deep: 'vault_too_large',
    fine: '{"value":"x"}',
  });
});

test('what belongs to a version comes with it', async () => {
  const { kv, connect, clock } = await benchWithMount();
  kv.put('a', { value: '1' }, { customMetadata: { owner: 'team' }, deleteVersionAfter: '1h' });
  const reading = await readOne(await connect(), 'a');
  expect(reading).toMatchObject({ version: '1', metadata: { owner: 'team' } });
  expect(reading.createdAt?.getTime()).toBe(clock.time);
  expect(reading.expiresAt?.getTime()).toBe(clock.time + 3_600_000);
});

test('the earlier of the vault’s own end and the custom metadata expires_at counts', async () => {
  const { kv, connect } = await benchWithMount();
  const put = (path: string, expires_at: string, deleteVersionAfter?: string) =>
    kv.put(path, {}, { customMetadata: { expires_at }, ...(deleteVersionAfter ? { deleteVersionAfter } : {}) });
  put('sooner', '2026-03-01T12:30:00Z', '1h');
  put('later', '2026-03-02', '1h');
  put('alone', '2026-03-02T00:00:00+01:00');
  put('no date', 'next tuesday');
  put('no offset', '2026-06-01T00:00:00');
  put('year zero', '0000-06-01');
  put('year zero in UTC', '0001-01-01T00:00:00+01:00');
  put('year 10000 in UTC', '9999-12-31T23:59:59-01:00');
  vi.stubEnv('TZ', 'America/Los_Angeles');
  onTestFinished(() => void vi.unstubAllEnvs());
  const backend = await connect();
  const end = async (path: string) => (await readOne(backend, path)).expiresAt?.toISOString() ?? null;
  expect(await end('sooner')).toBe('2026-03-01T12:30:00.000Z');
  expect(await end('later')).toBe('2026-03-01T13:00:00.000Z');
  expect(await end('alone')).toBe('2026-03-01T23:00:00.000Z');
  expect(await end('no offset')).toBe('2026-06-01T00:00:00.000Z');
  for (const path of ['no date', 'year zero', 'year zero in UTC', 'year 10000 in UTC'])
    expect(await end(path)).toBe(null);
});

test('each secret has its own outcome', async () => {
  const { vault, kv, connect } = await benchWithMount();
  for (const path of ['fine', 'soft', 'destroyed', 'forbidden', 'busy', 'broken', 'reset', 'null'])
    kv.put(path, { value: 'x' });
  kv.delete('soft');
  kv.destroy('destroyed');
  vault.policies.write('reader', { ...readOnly(), 'secret/data/forbidden': ['deny'] });
  vault.faults.inject({ effect: { kind: 'status', status: 429 }, path: 'secret/data/busy' });
  vault.faults.inject({ effect: { kind: 'cut' }, path: 'secret/data/broken' });
  vault.faults.inject({ effect: { kind: 'reset' }, path: 'secret/data/reset' });
  vault.faults.inject({ effect: { kind: 'garbage', body: '{"data":{"data":null}}' }, path: 'secret/data/null' });
  const backend = await connect({ auth: { method: 'token', token: vault.tokens.create({ policies: ['reader'] }) } });
  const found = await fetchAll(backend, [...kv.paths(), 'nowhere']);
  expect(Object.fromEntries(found)).toEqual({
    fine: '{"value":"x"}',
    soft: 'vault_deleted',
    destroyed: 'vault_deleted',
    nowhere: 'vault_not_found',
    forbidden: 'vault_forbidden',
    busy: 'vault_throttled',
    broken: 'vault_invalid',
    reset: 'vault_unavailable',
    null: 'vault_invalid',
  });
});

test('the version of a mount is found out once, however much is read at once', async () => {
  const { kv, connect, calls } = await benchWithMount();
  kv.seed(20, (index) => ({ path: `${index}`, data: { value: 'x' } }));
  await fetchAll(await connect(), kv.paths());
  expect(calls).toEqual({ login: 1, detect: 1, read: 20 });
  const missing = await connect({ mount: 'nope' });
  const found = await fetchAll(missing, kv.paths());
  expect(new Set(found.values())).toEqual(new Set(['container_missing']));
  expect(calls.read).toBe(20);
});

test('Retry-After is kept, in seconds and as a date', async () => {
  const { vault, kv, connect, clock } = await benchWithMount();
  for (const path of ['seconds', 'date', 'nonsense']) kv.put(path, { value: 'x' });
  const give = (path: string, value: string) =>
    vault.faults.inject({
      effect: { kind: 'status', status: 429, headers: { 'retry-after': value } },
      path: `secret/data/${path}`,
    });
  give('seconds', '7');
  give('date', new Date(clock.time + 9_000).toUTCString());
  give('nonsense', 'soon');
  const backend = await connect();
  const wait = async (path: string) => (await failureOf(readOne(backend, path))).retryAfterMs;
  expect([await wait('seconds'), await wait('date'), await wait('nonsense')]).toEqual([7_000, 9_000, undefined]);
});

test('stopping early aborts what is under way', async () => {
  const { vault, kv, connect } = await benchWithMount();
  for (const path of ['quick', 'slow']) kv.put(path, { value: 'x' });
  vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/data/slow' });
  for await (const outcome of (await connect()).fetch(['quick', 'slow'].map(unlisted), patient)) {
    expect(outcome.path).toBe('quick');
    break;
  }
});

test('an abort rejects the fetch with its reason', async () => {
  const { vault, kv, connect } = await benchWithMount();
  kv.put('slow', { value: 'x' });
  vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/data/slow' });
  const controller = new AbortController();
  const next = (await connect())
    .fetch([unlisted('slow')], controller.signal)
    [Symbol.asyncIterator]()
    .next();
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(next).rejects.toBe(reason);
});

test('a direct read tells present, absent and deleted apart', async () => {
  const { vault, kv, connect } = await benchWithMount();
  for (const path of ['live', 'soft', 'destroyed']) kv.put(path, { value: 'x' });
  kv.delete('soft');
  kv.destroy('destroyed');
  vault.policies.write('data', { 'secret/data/*': ['read'] });
  const dataOnly = { auth: { method: 'token', token: vault.tokens.create({ policies: ['data'] }) } };
  for (const backend of [await connect(), await connect(dataOnly)]) {
    const presences = ['live', 'soft', 'destroyed', 'gone'].map((path) => backend.confirm(path, patient));
    expect(await Promise.all(presences)).toEqual(['present', 'deleted', 'deleted', 'absent']);
  }
});

test.for([
  ['forbidden', { kind: 'status', status: 403, body: { errors: ['permission denied'] } }, 'forbidden'],
  ['throttled', { kind: 'status', status: 429 }, 'throttled'],
  ['unavailable', { kind: 'status', status: 503, body: { errors: [] } }, 'unavailable'],
  ['a proxy’s 404', { kind: 'status', status: 404, body: 'not found' }, 'invalid'],
  ['a 404 with other words', { kind: 'status', status: 404, body: { errors: ['no handler for route'] } }, 'invalid'],
  ['an empty 200', { kind: 'garbage', body: '{}' }, 'invalid'],
  ['garbage', { kind: 'garbage' }, 'invalid'],
  ['cut', { kind: 'cut' }, 'invalid'],
  [
    'metadata without the current version',
    { kind: 'garbage', body: '{"data":{"current_version":3,"versions":{}}}' },
    'invalid',
  ],
] as const)('%s is no proof of anything', async ([, effect, failureClass]) => {
  const { vault, kv, connect } = await benchWithMount();
  kv.put('a', { value: 'x' });
  vault.faults.inject({ effect: effect as never, when: ({ path }) => path.endsWith('/a') });
  const failure = await failureOf((await connect()).confirm('a', patient));
  expect(failure).toMatchObject({ failureClass });
});

test('a missing mount and a wrong namespace are never absence', async () => {
  const { vault, connect } = await benchWithMount();
  vault.createNamespace('team');
  const settings = [
    { mount: 'nope', kv_version: 2 },
    { namespace: 'nowhere', kv_version: 2 },
    { namespace: 'team', kv_version: 2 },
  ];
  for (const setting of settings) {
    const backend = await connect(setting);
    expect(await failureOf(backend.confirm('a', patient))).toMatchObject({ code: 'container_missing' });
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'container_missing' });
    expect(await failureOf(listAll(backend))).toMatchObject({ code: 'container_missing' });
  }
});

test('a mount of version 1 is read without versions', async () => {
  const { vault, connect } = await startBench();
  const kv = vault.mounts.enable('team/kv', { type: 'kv', version: 1 });
  kv.put('a/b', '{"b":1.50,"a":"x"}');
  kv.put('c', { value: 'y' });
  for (const settings of [{ mount: '/team/kv/' }, { mount: 'team/kv', kv_version: 1 }]) {
    const backend = await connect(settings);
    expect(await backend.probe(patient)).toMatchObject({ container: 'present' });
    expect(await listAll(backend)).toEqual([
      { path: 'a/b', facts: null, version: null, revision: null, deleted: false },
      { path: 'c', facts: null, version: null, revision: null, deleted: false },
    ]);
    const reading = await readOne(backend, 'a/b');
    expect(reading.value.reveal().toString()).toBe('{"a":"x","b":1.50}');
    expect(reading).toMatchObject({ version: null, revision: null, createdAt: null, metadata: {} });
    expect(await failureOf(readOne(backend, 'nope'))).toMatchObject({ code: 'vault_not_found' });
    expect(await backend.confirm('c', patient)).toBe('present');
    expect(await backend.confirm('nope', patient)).toBe('absent');
  }
});
