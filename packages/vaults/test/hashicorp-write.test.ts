import { classOf, SecretValue } from '@keyferry/core';
import type { PolicyRules, VaultEmulatorOptions } from '@keyferry/emulators';
import { describe, expect, test } from 'vitest';
import { policies } from '../src/hashicorp/policy.ts';
import type { ConnectContext, PutOptions, VaultBackend } from '../src/index.ts';
import { startBench } from './harness.ts';
import { failureOf, listAll, patient, readOne } from './support.ts';

async function benchWithMount(version: 1 | 2 = 2, options: VaultEmulatorOptions & { casRequired?: boolean } = {}) {
  const { casRequired = false, ...rest } = options;
  const bench = await startBench(rest);
  return { ...bench, kv: bench.vault.mounts.enable('secret', { type: 'kv', version, casRequired }) };
}

function put(backend: VaultBackend, path: string, json: string, options: Partial<PutOptions> = {}) {
  const all = { idempotencyKey: crypto.randomUUID(), ...options };
  return backend.put(path, SecretValue.fromText(json), all, patient);
}

describe('a value', () => {
  test('is written with its numbers as they are', async () => {
    const { kv, connect } = await benchWithMount();
    await put(await connect(), 'a', '{"b":12345678901234567890,"a":1.10}');
    expect(kv.get('a')?.data).toBe('{"a":1.10,"b":12345678901234567890}');
  });

  test.for([
    ['a name that ends in a period', 'a.', '{}'],
    ['a name with dots for a segment', 'a/../b', '{}'],
    ['a name with what can’t be printed', 'a\u200bb', '{}'],
    ['half a character', 'a', '{"value":"canary \\ud800"}'],
    ['half a character in a name', 'a', '{"\\udc00":"canary"}'],
    ['a text', 'a', '"canary"'],
    ['a list', 'a', '[{"canary":1}]'],
    ['nesting without end', 'a', `{"canary":${'['.repeat(2_000)}${']'.repeat(2_000)}}`],
  ])('with %s is refused before anything is sent, and not shown', async ([, path, json]) => {
    const { vault, connect } = await benchWithMount();
    const failure = await failureOf(put(await connect({ kv_version: 2 }), String(path), String(json)));
    expect(failure).toMatchObject({ code: 'vault_invalid', failureClass: 'invalid' });
    expect(failure.message).not.toContain('canary');
    expect(vault.requests.total).toBe(0);
  });

  test('larger than the vault stores is too large, and not sent again', async () => {
    const { vault, connect } = await benchWithMount(2, { maxEntryBytes: 100 });
    const failure = await failureOf(put(await connect(), 'a', `{"value":"${'x'.repeat(100)}"}`));
    expect(failure).toMatchObject({ code: 'vault_too_large', failureClass: 'too_large' });
    expect(vault.requests.counts.data).toBe(1);
  });
});

describe('an expected version', () => {
  test('lets exactly one of two writers succeed', async () => {
    const { kv, connect } = await benchWithMount();
    kv.put('a', { value: 'before' });
    const writers = await Promise.all([connect(), connect()]);
    const outcomes = await Promise.allSettled(
      writers.map((writer, index) => put(writer, 'a', `{"value":"${index}"}`, { expectedVersion: '1' })),
    );
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: 'vault_conflict' });
    expect(kv.get('a')?.version).toBe(2);
  });

  test('costs one call', async () => {
    const { connect, calls } = await benchWithMount();
    const backend = await connect({ kv_version: 2 });
    await put(backend, 'a', '{"value":"x"}', { expectedVersion: null });
    await put(backend, 'a', '{"value":"y"}', { expectedVersion: '1' });
    expect(calls).toEqual({ login: 1, write: 2 });
  });

  test('that is none of the vault’s is a conflict, and nothing is sent', async () => {
    const { vault, connect } = await benchWithMount();
    const backend = await connect({ kv_version: 2 });
    for (const expectedVersion of ['0', '-1', '1.5', 'latest', ''])
      expect(await failureOf(put(backend, 'a', '{}', { expectedVersion }))).toMatchObject({ code: 'vault_conflict' });
    expect(vault.requests.total).toBe(0);
  });

  test('of a removed secret is that of its last version', async () => {
    const { kv, connect } = await benchWithMount();
    kv.put('a', { value: 'before' });
    kv.delete('a');
    expect(await put(await connect(), 'a', '{"value":"after"}', { expectedVersion: '1' })).toMatchObject({
      version: '2',
    });
  });

  test('of nothing recovers a removed or destroyed secret, and leaves a living one as it is', async () => {
    const { kv, connect } = await benchWithMount();
    const backend = await connect();
    for (const [path, remove] of [
      ['removed', () => kv.delete('removed')],
      ['destroyed', () => kv.destroy('destroyed')],
    ] as const) {
      kv.put(path, { value: 'before' });
      remove();
      expect(await put(backend, path, '{"value":"after"}', { expectedVersion: null })).toMatchObject({ version: '2' });
    }
    kv.put('living', { value: 'before' });
    const refused = put(backend, 'living', '{"value":"after"}', { expectedVersion: null });
    expect(await failureOf(refused)).toMatchObject({ code: 'vault_conflict' });
    expect(kv.get('living')).toMatchObject({ version: 1, data: '{"value":"before"}' });
  });
});

test('a mount that demands check-and-set is looked at before it is written', async () => {
  const { kv, connect, calls } = await benchWithMount(2, { casRequired: true });
  const backend = await connect({ kv_version: 2 });
  expect(await put(backend, 'a', '{"value":"one"}')).toMatchObject({ version: '1' });
  expect(await put(backend, 'a', '{"value":"two"}')).toMatchObject({ version: '2' });
  kv.delete('a');
  expect(await put(backend, 'a', '{"value":"three"}')).toMatchObject({ version: '3' });
  expect(calls).toEqual({ login: 1, write: 9 });
});

describe('where an answer is lost and the call is made again', () => {
  const again = (context: ConnectContext): ConnectContext => ({
    ...context,
    call: (operation, signal, attempt) =>
      context
        .call(operation, signal, attempt)
        .catch((error) =>
          classOf(error) === 'unavailable' ? context.call(operation, signal, attempt) : Promise.reject(error),
        ),
  });

  test.for<[string, string | null]>([
    ['new', null],
    ['there', '1'],
  ])('our own write is known by its value: %s', async ([path, expectedVersion]) => {
    const { vault, kv, context, connect } = await benchWithMount();
    kv.put('there', { value: 'before' });
    const backend = await connect({ kv_version: 2 }, again(context));
    vault.faults.inject({ effect: { kind: 'reset' }, path: 'secret/data/*', operation: 'update', times: 1 });
    const written = await put(backend, path, '{"value":"ours"}', { expectedVersion });
    const current = kv.get(path);
    expect(current).toMatchObject({ data: '{"value":"ours"}', version: path === 'new' ? 1 : 2 });
    expect(written.version).toBe(String(current?.version));
    expect(written.revision).toBe((await readOne(backend, path)).revision);
  });

  test('that of another is a conflict', async () => {
    const { vault, kv, context, connect } = await benchWithMount();
    kv.put('a', { value: 'before' });
    const backend = await connect({ kv_version: 2 }, again(context));
    vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: 'secret/data/a', times: 1 });
    const writing = put(backend, 'a', '{"value":"ours"}', { expectedVersion: '1' });
    kv.put('a', { value: 'theirs' });
    expect(await failureOf(writing)).toMatchObject({ code: 'vault_conflict' });
  });
});

describe('metadata', () => {
  test('are those of the created secret, and its revision is what the next listing shows', async () => {
    const { kv, connect } = await benchWithMount();
    const backend = await connect();
    const written = await put(backend, 'a', '{"value":"x"}', { metadata: { owner: 'search' } });
    expect(kv.get('a')?.customMetadata).toEqual({ owner: 'search' });
    const [listed] = await listAll(backend);
    expect(listed).toMatchObject(written);
  });

  test('of a name that somebody has described already stay', async () => {
    const { vault, kv, connect } = await benchWithMount();
    await fetch(`${vault.url}/v1/secret/metadata/a`, {
      method: 'POST',
      headers: { 'x-vault-token': vault.rootToken },
      body: JSON.stringify({ custom_metadata: { owner: 'theirs' } }),
    });
    await put(await connect(), 'a', '{"value":"x"}', { expectedVersion: null, metadata: { owner: 'ours' } });
    expect(kv.get('a')?.customMetadata).toEqual({ owner: 'theirs' });
  });

  test.for<[string, Record<string, string>]>([
    ['too many entries', Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, 'v']))],
    ['a long name', { ['k'.repeat(129)]: 'v' }],
    ['an empty name', { '': 'v' }],
    ['a long value', { key: 'ä'.repeat(257) }],
    ['an empty value', { key: '' }],
    ['a value of two lines', { key: 'canary\n' }],
  ])('with %s are refused before anything is sent', async ([, metadata]) => {
    const { vault, connect } = await benchWithMount();
    const failure = await failureOf(put(await connect({ kv_version: 2 }), 'a', '{}', { metadata }));
    expect(failure).toMatchObject({ code: 'vault_invalid' });
    expect(failure.message).not.toContain('canary');
    expect(vault.requests.total).toBe(0);
  });

  test('that a policy forbids fail, and the failure says that the value was written', async () => {
    const { vault, kv, connect } = await benchWithMount();
    vault.policies.write('values', { 'secret/data/*': ['read', 'create', 'update'] });
    const token = vault.tokens.create({ policies: ['values'] });
    const backend = await connect({ kv_version: 2, auth: { method: 'token', token } });
    const failure = await failureOf(put(backend, 'a', '{"value":"x"}', { metadata: { owner: 'search' } }));
    expect(failure).toMatchObject({ code: 'vault_forbidden' });
    expect(failure.message).toContain('whose value was written');
    expect(kv.get('a')?.version).toBe(1);
  });
});

describe('a mount whose version can’t be told', () => {
  async function benchWithoutSight(version: 1 | 2) {
    const bench = await benchWithMount(version);
    bench.vault.faults.inject({
      effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
      when: ({ path, operation }) => path.startsWith('sys/internal/') || operation === 'list',
    });
    return bench;
  }

  test('is not written, removed from or restored to', async () => {
    const { vault, connect } = await benchWithoutSight(1);
    const backend = await connect();
    for (const attempt of [put(backend, 'a', '{}'), backend.remove('a', patient), backend.restore('a', patient)])
      expect(await failureOf(attempt)).toMatchObject({ code: 'container_unproven', failureClass: 'invalid' });
    expect(vault.kv('secret').paths()).toEqual([]);
  });

  test('is written where the settings say which it is', async () => {
    const { kv, connect } = await benchWithoutSight(1);
    await put(await connect({ kv_version: 1 }), 'a', '{"value":"x"}');
    expect(kv.get('a')?.data).toBe('{"value":"x"}');
  });
});

describe('restoring', () => {
  test('brings back the version that was removed', async () => {
    const { kv, connect } = await benchWithMount();
    const backend = await connect();
    for (const value of ['one', 'two']) kv.put('a', { value });
    await backend.remove('a', patient);
    expect(kv.get('a')).toMatchObject({ version: 2, deleted: true });
    await backend.restore('a', patient);
    expect(kv.get('a')).toMatchObject({ version: 2, deleted: false, data: '{"value":"two"}' });
  });

  test('has nothing to do with what is there, or destroyed', async () => {
    const { kv, connect } = await benchWithMount();
    const backend = await connect();
    for (const path of ['there', 'destroyed']) kv.put(path, { value: 'x' });
    kv.destroy('destroyed');
    for (const path of ['there', 'destroyed'])
      expect(await failureOf(backend.restore(path, patient))).toMatchObject({ code: 'vault_not_found' });
  });
});

describe('KV version 1', () => {
  test('is written whole, and compared by a look before', async () => {
    const { kv, connect } = await benchWithMount(1);
    const backend = await connect();
    expect(await put(backend, 'a/b', '{"n":1.50}', { expectedVersion: null })).toEqual({
      version: null,
      revision: null,
    });
    expect(kv.get('a/b')?.data).toBe('{"n":1.50}');
    await put(backend, 'a/b', '{"n":2}');
    for (const expectedVersion of [null, '1'])
      expect(await failureOf(put(backend, 'a/b', '{"n":3}', { expectedVersion }))).toMatchObject({
        code: 'vault_conflict',
      });
    expect(kv.get('a/b')?.data).toBe('{"n":2}');
  });

  test.for<[string, string, string, Partial<PutOptions>]>([
    ['a value without fields', 'a', '{}', {}],
    ['metadata', 'a', '{"value":"x"}', { metadata: { owner: 'search' } }],
    ['two periods', 'a..b', '{"value":"x"}', {}],
  ])('is not sent %s', async ([, path, json, options]) => {
    const { vault, connect } = await benchWithMount(1);
    const failure = await failureOf(put(await connect({ kv_version: 1 }), path, json, options));
    expect(failure).toMatchObject({ code: 'vault_invalid' });
    expect(failure.message).toContain('KV version 1');
    expect(vault.requests.total).toBe(0);
  });

  test('removes for good, and says so where something is to be restored', async () => {
    const { kv, connect } = await benchWithMount(1);
    kv.put('a', { value: 'x' });
    const backend = await connect();
    await backend.remove('a', patient);
    expect(kv.paths()).toEqual([]);
    const failure = await failureOf(backend.restore('a', patient));
    expect(failure).toMatchObject({ code: 'vault_invalid' });
    expect(failure.message).toContain('removes for good');
  });
});

/** The rules of a policy in Vault's language, as far as ours are written in it. */
function rulesOf(policy: string): PolicyRules {
  const rules = [...policy.matchAll(/path "([^"]+)" \{\s*capabilities = (\[[^\]]*\])\s*\}/g)];
  return Object.fromEntries(rules.map(([, path, capabilities]) => [path, JSON.parse(String(capabilities))]));
}

test.for<[1 | 2, 'vault' | 'openbao']>([
  [2, 'vault'],
  [2, 'openbao'],
  [1, 'vault'],
])('the policies that are told are enough, and no more: KV %s, %s', async ([version, flavour]) => {
  const { vault, connect } = await benchWithMount(version, { flavour });
  const as = (name: keyof typeof policies) => {
    vault.policies.write(name, rulesOf(policies[name]));
    const token = vault.tokens.create({ policies: [name] });
    return connect({ auth: { method: 'token', token } });
  };
  const [reader, writer] = await Promise.all([as('read_only'), as('read_and_write')]);
  const metadata = version === 2 ? { metadata: { owner: 'search' } } : {};
  await put(writer, 'bifrost/a', '{"value":"x"}', { expectedVersion: null, ...metadata });
  await put(writer, 'bifrost/a', '{"value":"y"}');
  for (const backend of [reader, writer]) {
    expect(await backend.probe(patient)).toMatchObject({ container: 'present' });
    expect((await listAll(backend, { folders: ['bifrost/'] })).map(({ path }) => path)).toEqual(['bifrost/a']);
    expect((await readOne(backend, 'bifrost/a')).value.reveal().toString()).toBe('{"value":"y"}');
    expect(await backend.confirm('bifrost/none', patient)).toBe('absent');
    if (version === 2) {
      expect(await backend.versions('bifrost/a', patient)).toHaveLength(2);
      expect((await backend.readVersion('bifrost/a', '1', patient)).version).toBe('1');
    }
  }
  await writer.remove('bifrost/a', patient);
  if (version === 2) await writer.restore('bifrost/a', patient);
  for (const attempt of [put(reader, 'bifrost/a', '{"value":"z"}'), reader.remove('bifrost/a', patient)])
    expect(await failureOf(attempt)).toMatchObject({ code: 'vault_forbidden' });
});
