import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, openWritingHouse, type WritingHouse } from './support/writing.ts';

/** Values that go to the vault first. */

let house: WritingHouse;
beforeEach(async () => {
  house = await openWritingHouse({ deadlineMs: 1_500 });
});
afterEach(() => house.close());

const kvPut = (path: string, value: string) => void house.vault.kv('secret').put(path, { value });
const inVault = (path: string) => house.vault.kv('secret').get(path)?.data;

describe('a new secret', () => {
  test('is created in the vault, owned, and stored as the vault is read to hold it', async () => {
    const backend = await house.addWritable();
    const written = await house.put('bifrost/new', 'v1');
    expect(written).toMatchObject({
      path: 'bifrost/new',
      version: 1,
      remoteVersion: '1',
      created: true,
      writtenTo: 'vault',
      owned: true,
    });
    expect(inVault('bifrost/new')).toBe('{"value":"v1"}');
    expect(await house.value('bifrost/new')).toBe('{"value":"v1"}');
    const row = await house.row('bifrost/new');
    expect(row).toMatchObject({ state: 'active', owned: true, write_seq: 1, remote_version: '1' });
    expect([row?.base_digest, row?.remote_digest]).toEqual([row?.local_digest, row?.local_digest]);
    expect(written.etag).toBe(`"${row?.id}.1"`);
    expect(await house.intents()).toEqual([]);
    expect((await house.events('keys.created')).map(({ data }) => data)).toEqual([
      {
        backend_id: backend.id,
        backend: backend.name,
        kind: 'hashicorp',
        cycle_id: null,
        paths: ['bifrost/new'],
        actor: 'somebody',
      },
    ]);
    expect(await house.audited('key.written')).toMatchObject([
      { actor: 'somebody', target: 'bifrost/new', details: { version: 1, created: true, written_to: 'vault' } },
    ]);
  });

  test('is unchanged for the next cycle', async () => {
    const backend = await house.addWritable();
    await house.put('bifrost/new', '{"b": 1.10, "a": "x"}');
    expect(await house.value('bifrost/new')).toBe('{"a":"x","b":1.10}');
    expect((await house.cycle(backend)).counts).toMatchObject({ discovered: 1, unchanged: 1 });
    expect(await house.events('keys.rotated')).toEqual([]);
  });

  test('that is in the vault already is left as it is, and a cycle carries it', async () => {
    const backend = await house.addWritable();
    house.vault.kv('secret').put('bifrost/theirs', { value: 'theirs' });
    expect(await codeOf(house.put('bifrost/theirs', 'ours'))).toBe('write_conflict');
    expect(inVault('bifrost/theirs')).toBe('{"value":"theirs"}');
    expect(await house.row('bifrost/theirs')).toBeUndefined();
    expect(await house.intents()).toEqual([]);
    expect(await house.claimDue()).toBe(1);
    expect(backend.id).toBeDefined();
  });
});

describe('a secret that is known', () => {
  test('gets a new version in the vault and here', async () => {
    const backend = await house.addWritable({ rotation_overlap_seconds: 3600 });
    house.vault.kv('secret').put('bifrost/a', { value: 'one' });
    await house.cycle(backend);
    const written = await house.put('bifrost/a', 'two');
    expect(written).toMatchObject({ version: 2, remoteVersion: '2', created: false, owned: false });
    expect(inVault('bifrost/a')).toBe('{"value":"two"}');
    const rotated = (await house.events('keys.rotated')).map(({ data }) => data);
    expect(rotated).toMatchObject([
      { keys: [{ path: 'bifrost/a', from_version: 1, to_version: 2 }], actor: 'somebody' },
    ]);
    expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 1 });
    const versions = await house.read((tx) =>
      tx
        .selectFrom('key_versions')
        .select(['version', 'source', 'remote_version', 'readable_until'])
        .orderBy('version')
        .execute(),
    );
    expect(versions).toMatchObject([
      { version: 1, source: 'vault', readable_until: expect.any(Date) },
      { version: 2, source: 'local', remote_version: '2', readable_until: null },
    ]);
  });

  test('that was changed in the vault meanwhile is not overwritten', async () => {
    const backend = await house.addWritable();
    house.vault.kv('secret').put('bifrost/a', { value: 'one' });
    await house.cycle(backend);
    house.vault.kv('secret').put('bifrost/a', { value: 'theirs' });
    expect(await codeOf(house.put('bifrost/a', 'ours'))).toBe('write_conflict');
    expect(inVault('bifrost/a')).toBe('{"value":"theirs"}');
    expect(await house.value('bifrost/a')).toBe('{"value":"one"}');
    await house.cycle(backend);
    expect(await house.value('bifrost/a')).toBe('{"value":"theirs"}');
    await house.put('bifrost/a', 'ours');
    expect(inVault('bifrost/a')).toBe('{"value":"ours"}');
  });

  test('is written once where it has that value on both sides already', async () => {
    await house.addWritable();
    await house.put('bifrost/a', 'same');
    expect(await house.put('bifrost/a', 'same')).toMatchObject({ version: 1, created: false });
    expect(house.vault.kv('secret').get('bifrost/a')).toMatchObject({ version: 1 });
  });

  test('comes back when it had gone from the vault', async () => {
    const backend = await house.addWritable();
    for (const path of ['bifrost/a', 'bifrost/keep']) house.vault.kv('secret').put(path, { value: 'one' });
    await house.cycle(backend);
    house.vault.kv('secret').deleteMetadata('bifrost/a');
    await house.cycle(backend);
    expect(await house.states()).toMatchObject({ 'bifrost/a': 'deprecated' });
    expect(await house.put('bifrost/a', 'again')).toMatchObject({ version: 2, owned: true });
    expect(await house.row('bifrost/a')).toMatchObject({ state: 'active', archive_at: null, deprecated_for: null });
    expect((await house.events('keys.restored')).map(({ data }) => data)).toMatchObject([{ paths: ['bifrost/a'] }]);
    expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 2, deprecated: 0 });
  });
});

describe('the very value that a key had', () => {
  test('brings it back where it was deleted here', async () => {
    const backend = await house.addWritable();
    house.vault.kv('secret').put('bifrost/a', { value: 'one' });
    await house.cycle(backend);
    await house.remove('bifrost/a');
    expect(await house.put('bifrost/a', 'one')).toMatchObject({ version: 2, remoteVersion: '2' });
    expect(await house.row('bifrost/a')).toMatchObject({ state: 'active', tombstone: false, remote_version: '2' });
  });

  test('brings it back where it had gone from the vault', async () => {
    const backend = await house.addWritable();
    for (const path of ['bifrost/a', 'bifrost/keep']) house.vault.kv('secret').put(path, { value: 'one' });
    await house.cycle(backend);
    house.vault.kv('secret').deleteMetadata('bifrost/a');
    await house.cycle(backend);
    expect(await house.put('bifrost/a', 'one')).toMatchObject({ version: 2, remoteVersion: '1', owned: true });
    expect(await house.states()).toMatchObject({ 'bifrost/a': 'active' });
  });
});

describe('failures', () => {
  test('an answer that is lost is found out by reading', async () => {
    await house.addWritable();
    house.vault.faults.inject({ effect: { kind: 'garbage' }, method: 'POST', path: 'secret/data/*', times: 1 });
    expect(await house.put('bifrost/a', 'v')).toMatchObject({ version: 1, remoteVersion: '1' });
    expect(await house.intents()).toEqual([]);
  });

  test('a vault that is away leaves the write to whoever comes next', async () => {
    await house.addWritable();
    const away = house.vault.faults.inject({ effect: { kind: 'reset' }, path: 'secret/data/*' });
    expect(await codeOf(house.put('bifrost/a', 'one'))).toBe('vault_unavailable');
    away.remove();
    // It had been made all the same: the emulator applies what it then doesn't answer.
    expect(inVault('bifrost/a')).toBe('{"value":"one"}');
    expect(await house.intents()).toHaveLength(1);
    expect(await house.row('bifrost/a')).toBeUndefined();
    expect(await house.put('bifrost/a', 'two')).toMatchObject({
      version: 2,
      remoteVersion: '2',
      created: false,
      owned: true,
    });
    expect(await house.value('bifrost/a')).toBe('{"value":"two"}');
    expect(await house.intents()).toEqual([]);
  });

  test('the same write again after a failure is not made twice', async () => {
    await house.addWritable();
    const away = house.vault.faults.inject({ effect: { kind: 'reset' }, path: 'secret/data/*' });
    expect(await codeOf(house.put('bifrost/a', 'one'))).toBe('vault_unavailable');
    away.remove();
    expect(await house.put('bifrost/a', 'one')).toMatchObject({
      version: 1,
      remoteVersion: '1',
      created: true,
      owned: true,
    });
    expect(house.vault.kv('secret').get('bifrost/a')).toMatchObject({ version: 1 });
  });

  test('what the vault can’t hold is said so, and leaves nothing', async () => {
    await house.addWritable();
    expect(await codeOf(house.put('bifrost/ends.', 'x'))).toBe('value_not_writable');
    expect(await codeOf(house.put('bifrost/binary', Buffer.from([0xff, 0])))).toBe('value_not_writable');
    expect(await codeOf(house.put('bifrost/deep', `${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`))).toBe(
      'value_not_writable',
    );
    expect(await house.intents()).toEqual([]);
    expect(await house.keys()).toEqual([]);
  });

  test('forbidden writes are told as the vault’s', async () => {
    await house.addWritable();
    house.vault.faults.inject({
      effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
      method: 'POST',
      path: 'secret/data/*',
    });
    expect(await codeOf(house.put('bifrost/a', 'x'))).toBe('vault_forbidden');
    expect(await house.intents()).toEqual([]);
  });
});

describe('another container than before under the same settings', () => {
  const remount = () => {
    house.vault.mounts.disable('secret');
    house.vault.mounts.enable('secret', { type: 'kv', version: 2 });
  };

  test('is written nothing', async () => {
    const backend = await house.addWritable();
    kvPut('bifrost/a', 'one');
    await house.cycle(backend);
    remount();
    kvPut('bifrost/a', 'another’s');
    for (const path of ['bifrost/a', 'bifrost/new'])
      expect(await codeOf(house.put(path, 'ours'))).toBe('container_changed');
    expect(inVault('bifrost/a')).toBe('{"value":"another’s"}');
    expect(inVault('bifrost/new')).toBeUndefined();
    expect(await house.intents()).toEqual([]);
  });

  test('says nothing of what was to be removed', async () => {
    const backend = await house.addWritable();
    await house.put('bifrost/a', 'one');
    await house.cycle(backend);
    remount();
    expect(await codeOf(house.remove('bifrost/a'))).toBe('container_changed');
    expect(await house.states()).toEqual({ 'bifrost/a': 'active' });
  });
});

test('two writers at a time: one wins, and the other is told so', async () => {
  await house.addWritable();
  await house.put('bifrost/a', 'zero');
  const results = await Promise.allSettled(['one', 'two', 'three'].map((text) => house.put('bifrost/a', text)));
  const won = results.filter(({ status }) => status === 'fulfilled');
  expect(won.length).toBeGreaterThan(0);
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'write_conflict' });
  expect(await house.value('bifrost/a')).toBe(inVault('bifrost/a'));
  expect(await house.row('bifrost/a')).toMatchObject({
    version: 1 + won.length,
    remote_version: String(1 + won.length),
  });
});

test('a cycle that carries it between the vault and here makes no second version', async () => {
  const backend = await house.addWritable();
  await house.put('bifrost/other', 'x');
  const slow = house.vault.faults.inject({
    effect: { kind: 'hang_in_body' },
    method: 'POST',
    path: 'secret/data/*',
    times: 1,
  });
  const writing = house.put('bifrost/a', 'v');
  writing.catch(() => {});
  await expect.poll(() => slow.hits).toBe(1);
  await house.cycle(backend);
  expect(await house.value('bifrost/a')).toBe('{"value":"v"}');
  expect(await writing).toMatchObject({ version: 1, owned: true });
  expect(await house.row('bifrost/a')).toMatchObject({ version: 1, owned: true });
});

describe('what others do between the vault and here', () => {
  /** Begins a write whose answer the vault holds back until the call's deadline. */
  async function held(path: string, value: string) {
    const fault = { effect: { kind: 'hang_in_body' }, method: 'POST', path: 'secret/data/*', times: 1 } as const;
    const slow = house.vault.faults.inject(fault);
    const writing = house.put(path, value);
    writing.catch(() => {});
    await expect.poll(() => slow.hits).toBe(1);
    return { writing };
  }

  test('a newer value of the vault, carried by a cycle, is not replaced by the older one', async () => {
    const backend = await house.addWritable();
    await house.put('bifrost/a', 'one');
    const { writing } = await held('bifrost/a', 'ours');
    expect(inVault('bifrost/a')).toBe('{"value":"ours"}');
    // Its claim is over by then.
    house.clock.advance(600);
    house.vault.kv('secret').put('bifrost/a', { value: 'theirs' });
    await house.cycle(backend);
    expect(await codeOf(writing)).toBe('write_conflict');
    expect(await house.value('bifrost/a')).toBe('{"value":"theirs"}');
    expect(await house.intents()).toEqual([]);
  });

  test('a key that got a newer value just before ours was stored keeps it', async () => {
    await house.addWritable();
    await house.put('bifrost/a', 'one');
    const newer = Buffer.alloc(32, 1);
    const writing = await house.read(async (tx) => {
      // Whoever stores waits for the row.
      await tx.selectFrom('keys').select('id').forUpdate().execute();
      const begun = house.put('bifrost/a', 'ours');
      begun.catch(() => {});
      await expect.poll(() => inVault('bifrost/a')).toBe('{"value":"ours"}');
      house.vault.kv('secret').put('bifrost/a', { value: 'theirs' });
      await tx.updateTable('keys').set({ version: 2, local_digest: newer, remote_digest: newer }).execute();
      return { begun };
    });
    expect(await codeOf(writing.begun)).toBe('write_conflict');
    expect(await house.row('bifrost/a')).toMatchObject({ version: 2, local_digest: newer });
    expect(await house.intents()).toEqual([]);
  });

  test('what was stored here meanwhile is followed by what the vault has', async () => {
    const backend = await house.addWritable();
    await house.put('bifrost/a', 'one');
    const { writing } = await held('bifrost/a', 'two');
    await house.change(backend, { writes: 'local' });
    await house.put('bifrost/a', 'local');
    expect(await writing).toMatchObject({ version: 3, remoteVersion: '2' });
    expect(await house.value('bifrost/a')).toBe('{"value":"two"}');
    expect(await house.row('bifrost/a')).toMatchObject({ version: 3, remote_version: '2' });
  });

  test('a backend that was removed stores nothing', async () => {
    const backend = await house.addWritable();
    const { writing } = await held('bifrost/a', 'v');
    await house.read((tx) =>
      tx.updateTable('backends').set({ state: 'removed' }).where('id', '=', backend.id).execute(),
    );
    expect(await codeOf(writing)).toBe('backend_not_found');
    expect(await house.keys()).toEqual([]);
  });
});
