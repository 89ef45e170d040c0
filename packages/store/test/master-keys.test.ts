import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultTenantId, loadMasterKey, masterKeyStatuses } from '../src/index.ts';
import { masterKeyOf, SealedStore, tenantId } from './support/sealed-store.ts';

let sealed: SealedStore;

beforeEach(async () => {
  sealed = await SealedStore.open();
});
afterEach(() => sealed.close());

/** Tenants beside the first one, each with keys of its own. */
async function addTenants(names: string[]): Promise<string[]> {
  return await sealed.store.asOperator(async (tx) => {
    const rows = await tx
      .insertInto('tenants')
      .values(names.map((name) => ({ name })))
      .returning('id')
      .execute();
    return rows.map(({ id }) => id);
  });
}

test('the master key is changed without stopping: all hold both, a rewrap, all hold the new one', async () => {
  const tenants = [defaultTenantId, ...(await addTenants(['one', 'two', 'three']))];
  const old = await sealed.process(1);
  for (const tenant of tenants) {
    await sealed.addSettings(await old.ofTenant(tenant), tenant);
    await sealed.put(await old.ofTenant(tenant), ['p/0'], tenant);
  }
  const both = await sealed.process(2, 1);
  const readable = async (process: typeof old) => {
    for (const tenant of tenants) expect(await sealed.read(process, 'p/0', tenant)).toBe('value of p/0');
  };
  await readable(both);
  // The new one alone can't open the others' data keys yet.
  await expect(sealed.process(2)).rejects.toMatchObject({
    code: 'master_key_mismatch',
    message: expect.stringContaining('8 are wrapped by the master key'),
  });
  expect(await sealed.rewrap(both)).toMatchObject({ tenants: 4, wrapped: 8, resealed: 0, retired: 0 });
  expect(await sealed.rewrap(both)).toMatchObject({ tenants: 0, wrapped: 0 });
  await readable(await sealed.process(2));
  // One that runs with the old key goes on; it can't be started again.
  await readable(old);
  await expect(sealed.process(1)).rejects.toMatchObject({ code: 'master_key_mismatch' });
  expect(await masterKeyStatuses(sealed.store, both)).toMatchObject([
    { id: old.masterKeys.current.id, kind: 'local', current: false, data_keys: 0 },
    { id: both.masterKeys.current.id, kind: 'local', current: true, data_keys: 8 },
  ]);
});

test('half of a rewrap leaves both master keys in use, and says so to whoever starts with one', async () => {
  const [one = ''] = await addTenants(['one']);
  const old = await sealed.process(1);
  for (const tenant of [tenantId, one]) await old.ofTenant(tenant);
  const both = await sealed.process(2, 1);
  await sealed.rewrap(both, { tenantId: one });
  for (const fill of [1, 2])
    await expect(sealed.process(fill)).rejects.toMatchObject({
      code: 'master_key_missing',
      message: expect.stringContaining('2 data keys are still wrapped by the master key'),
    });
  await (await sealed.process(1, 2)).ofTenant(one);
});

test('processes may hold the next master key before it is the current one', async () => {
  await (await sealed.process(1)).ofTenant(tenantId);
  const ready = await sealed.process(1, 2);
  const next = await sealed.process(2, 1);
  const [one = ''] = await addTenants(['one']);
  await sealed.addSettings(await next.ofTenant(one), one);
  await sealed.put(await next.ofTenant(one), ['p/0'], one);
  expect(await sealed.read(ready, 'p/0', one)).toBe('value of p/0');
});

test('a new master key is refused without the one before it, and with another one than that', async () => {
  await (await sealed.process(1)).ofTenant(tenantId);
  await expect(sealed.process(2)).rejects.toMatchObject({ code: 'master_key_mismatch' });
  await expect(sealed.process(2, 3)).rejects.toMatchObject({ code: 'master_key_mismatch' });
  await expect(sealed.process(1, 1)).rejects.toMatchObject({ code: 'config_invalid' });
  const source = { text: masterKeyOf(1), previous: { file: '/nowhere/at.all' } };
  await expect(loadMasterKey(sealed.store, source)).rejects.toMatchObject({ code: 'master_key_invalid' });
  expect(await sealed.store.global.selectFrom('master_keys').select('id').execute()).toHaveLength(1);
});
