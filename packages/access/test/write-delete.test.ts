import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, openWritingHouse, type WritingHouse } from './support/writing.ts';

/** What becomes of a secret that is deleted through Keyferry. */

let house: WritingHouse;
beforeEach(async () => {
  house = await openWritingHouse({ deadlineMs: 1_500 });
});
afterEach(() => house.close());

const kv = () => house.vault.kv('secret');
const backups = () => house.read((tx) => tx.selectFrom('backups').select(['local_path', 'reason']).execute());

describe('where Keyferry had made the secret in the vault', () => {
  test('it goes from the vault, so that it can be restored there, and the key is archived', async () => {
    const backend = await house.addWritable();
    await house.put('bifrost/a', 'v1');
    expect(await house.remove('bifrost/a')).toEqual({ path: 'bifrost/a', removedFrom: 'vault' });
    expect(kv().get('bifrost/a')).toMatchObject({ deleted: true, destroyed: false });
    expect(await house.row('bifrost/a')).toMatchObject({
      state: 'archived',
      tombstone: false,
      owned: false,
      remote_version: null,
      write_seq: 2,
      purge_at: expect.any(Date),
    });
    expect(await backups()).toEqual([{ local_path: 'bifrost/a', reason: 'deleted' }]);
    expect(await house.intents()).toEqual([]);
    expect((await house.events('keys.deleted')).map(({ data }) => data)).toEqual([
      {
        backend_id: backend.id,
        backend: backend.name,
        kind: 'hashicorp',
        cycle_id: null,
        paths: ['bifrost/a'],
        actor: 'somebody',
        removed_from: 'vault',
      },
    ]);
    expect(await house.audited('key.deleted')).toMatchObject([
      { target: 'bifrost/a', details: { removed_from: 'vault' } },
    ]);
    expect(await codeOf(house.remove('bifrost/a'))).toBe('key_not_served');
    expect(await codeOf(house.remove('bifrost/never'))).toBe('key_not_found');
  });

  test('it can be written again, and is owned again', async () => {
    await house.addWritable();
    await house.put('bifrost/a', 'v1');
    await house.remove('bifrost/a');
    expect(await house.put('bifrost/a', 'v2')).toMatchObject({ version: 2, created: false, owned: true });
    expect(kv().get('bifrost/a')?.data).toBe('{"value":"v2"}');
    expect(await house.states()).toEqual({ 'bifrost/a': 'active' });
  });

  test('what others have made of it since stays', async () => {
    const backend = await house.addWritable();
    await house.put('bifrost/a', 'ours');
    kv().put('bifrost/a', { value: 'theirs' });
    expect(await codeOf(house.remove('bifrost/a'))).toBe('write_conflict');
    expect(kv().get('bifrost/a')).toMatchObject({ deleted: false });
    await house.cycle(backend);
    expect(await house.remove('bifrost/a')).toMatchObject({ removedFrom: 'vault' });
  });

  test('an answer that is lost is found out by whoever comes next', async () => {
    await house.addWritable();
    await house.put('bifrost/a', 'v1');
    const away = house.vault.faults.inject({ effect: { kind: 'reset' }, method: 'DELETE', path: 'secret/data/*' });
    expect(await codeOf(house.remove('bifrost/a'))).toBe('vault_unavailable');
    away.remove();
    expect(kv().get('bifrost/a')).toMatchObject({ deleted: true });
    expect(await house.states()).toEqual({ 'bifrost/a': 'active' });
    expect(await house.remove('bifrost/a')).toMatchObject({ removedFrom: 'vault' });
    expect(await house.states()).toEqual({ 'bifrost/a': 'archived' });
    expect(await house.intents()).toEqual([]);
  });

  test('a removal that was left unfinished is settled by the next write', async () => {
    await house.addWritable();
    await house.put('bifrost/a', 'v1');
    const away = house.vault.faults.inject({ effect: { kind: 'reset' }, method: 'DELETE', path: 'secret/data/*' });
    expect(await codeOf(house.remove('bifrost/a'))).toBe('vault_unavailable');
    away.remove();
    expect(await house.put('bifrost/a', 'v2')).toMatchObject({ version: 2, owned: true });
    expect(await house.events('keys.deleted')).toHaveLength(1);
    expect(await house.states()).toEqual({ 'bifrost/a': 'active' });
  });
});

describe('where it had not', () => {
  test('it stays in the vault, and isn’t carried any more', async () => {
    const backend = await house.addWritable({ backup_deprecated_keys: false });
    kv().put('bifrost/theirs', { value: 'theirs' });
    await house.cycle(backend);
    expect(await house.remove('bifrost/theirs')).toEqual({ path: 'bifrost/theirs', removedFrom: 'store' });
    expect(kv().get('bifrost/theirs')).toMatchObject({ deleted: false, version: 1 });
    expect(await house.row('bifrost/theirs')).toMatchObject({ state: 'archived', tombstone: true });
    expect(await backups()).toEqual([]);
    await house.cycle(backend);
    expect(await house.states()).toEqual({ 'bifrost/theirs': 'archived' });
    expect(await house.put('bifrost/theirs', 'ours')).toMatchObject({ version: 2, owned: false });
    expect(await house.row('bifrost/theirs')).toMatchObject({ state: 'active', tombstone: false });
  });

  test('one that is only here is archived, and leaves no tombstone', async () => {
    await house.addBackend({ writes: 'local' });
    await house.put('bifrost/here', 'v1');
    expect(await house.remove('bifrost/here')).toMatchObject({ removedFrom: 'store' });
    expect(await house.row('bifrost/here')).toMatchObject({ state: 'archived', tombstone: false });
  });
});

describe('what was deleted does not come back', () => {
  test('with a write before it whose answer was lost', async () => {
    const backend = await house.addWritable();
    kv().put('bifrost/theirs', { value: 'theirs' });
    await house.cycle(backend);
    const away = house.vault.faults.inject({ effect: { kind: 'reset' }, path: 'secret/data/*' });
    expect(await codeOf(house.put('bifrost/theirs', 'ours'))).toBe('vault_unavailable');
    expect(await codeOf(house.remove('bifrost/theirs'))).toBe('vault_unavailable');
    away.remove();
    expect(await house.remove('bifrost/theirs')).toMatchObject({ removedFrom: 'store' });
    expect(await house.intents()).toEqual([]);
    await house.cycle(backend);
    expect(await house.row('bifrost/theirs')).toMatchObject({ state: 'archived', tombstone: true, version: 2 });
  });

  test('with a write that somebody else is at', async () => {
    const backend = await house.addWritable();
    kv().put('bifrost/theirs', { value: 'theirs' });
    await house.cycle(backend);
    const fault = { effect: { kind: 'hang_in_body' }, method: 'POST', path: 'secret/data/*', times: 1 } as const;
    const slow = house.vault.faults.inject(fault);
    const writing = house.put('bifrost/theirs', 'ours');
    await expect.poll(() => slow.hits).toBe(1);
    expect(await codeOf(house.remove('bifrost/theirs'))).toBe('write_conflict');
    expect(await writing).toMatchObject({ version: 2 });
    expect(await house.remove('bifrost/theirs')).toMatchObject({ removedFrom: 'store' });
  });

  test('where somebody makes a secret of its name in the vault later, whatever the policy', async () => {
    const backend = await house.addBackend({ writes: 'local', conflict_policy: 'local_wins' });
    await house.put('bifrost/here', 'ours');
    kv().put('bifrost/both', { value: 'one' });
    await house.cycle(backend);
    await house.put('bifrost/both', 'ours');
    for (const path of ['bifrost/here', 'bifrost/both']) await house.remove(path);
    kv().deleteMetadata('bifrost/both');
    await house.cycle(backend);
    for (const path of ['bifrost/here', 'bifrost/both']) kv().put(path, { value: 'theirs' });
    expect((await house.cycle(backend)).counts).toMatchObject({ restored: 2, ahead: 0 });
    for (const path of ['bifrost/here', 'bifrost/both']) expect(await house.value(path)).toBe('{"value":"theirs"}');
  });
});

test('keys that hold the credentials of a backend can’t be deleted', async () => {
  await house.addWritable();
  await house.put('bifrost/token', 'x');
  await house.addBackend({ prefix: 'other', sync_paths: ['other/*'], credential_paths: ['bifrost/token'] });
  expect(await codeOf(house.remove('bifrost/token'))).toBe('credentials_in_use');
  expect(await house.states()).toEqual({ 'bifrost/token': 'active' });
});
