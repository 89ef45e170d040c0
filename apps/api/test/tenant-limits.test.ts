import { claimDue } from '@keyferry/pipeline';
import { beforeEach, describe, expect, test } from 'vitest';
import { tenantOfEachTest } from './support/tenants.ts';

/** What tenants may have. */

const team = tenantOfEachTest();
let name: string;
let id: string;
let own: string;
beforeEach(() => {
  ({ name, id, own } = team);
});

describe('limits', () => {
  test('refuse another backend, and one more once there is room', async () => {
    await team.limit({ max_backends: 1 });
    expect((await team.addBackend('one')).status).toBe(201);
    expect(await team.addBackend('two')).toMatchObject({
      status: 409,
      body: { error: { code: 'tenant_limit_reached' } },
    });
    await team.limit({ max_backends: 2 });
    expect((await team.addBackend('two')).status).toBe(201);
    // Below what there is: it stays.
    expect((await team.limit({ max_backends: 0 })).body).toMatchObject({ max_backends: 0, counts: { backends: 2 } });
    expect((await team.addBackend('three')).body.error.code).toBe('tenant_limit_reached');
    await team.limit({ max_backends: null });
    expect((await team.addBackend('three')).status).toBe(201);
  });

  test('take in new keys until they are reached, name the others, and leave the existing ones to be updated', async () => {
    await team.limit({ max_keys: 2 });
    for (const path of ['a', 'b', 'c', 'd']) team.put(path);
    await team.addBackend();
    const first = await team.sync();
    expect(first).toMatchObject({ state: 'completed', counts: { discovered: 4, added: 2, skipped: 2 }, issues: 2 });
    const issues = (await team.api.call('GET', `/v1/federation/cycles/${first.id}/issues`, undefined, own)).body.items;
    expect(issues.map(({ code, outcome }: Record<string, string>) => [code, outcome])).toEqual([
      ['tenant_limit_reached', 'skipped'],
      ['tenant_limit_reached', 'skipped'],
    ]);
    const keys = (await team.api.call('GET', '/v1/keys', undefined, own)).body.items;
    const [known] = keys.map(({ path }: { path: string }) => path.replace('bifrost/', ''));
    team.put(known, 'sk-new');
    const second = await team.sync();
    expect(second).toMatchObject({ state: 'completed', counts: { discovered: 4, updated: 1, skipped: 2, added: 0 } });
    expect((await team.read(known)).body.value).toBe('sk-new');
    await team.limit({ max_keys: 3 });
    expect((await team.sync()).counts).toMatchObject({ discovered: 4, added: 1, skipped: 1 });
    await team.limit({ max_keys: null });
    expect((await team.sync()).counts).toMatchObject({ discovered: 4, added: 1, skipped: 0 });
    expect((await team.api.call('GET', `/v1/tenants/${name}`)).body.counts.keys).toBe(4);
  });

  test.each(['local', 'write_through'])(
    'refuse to write a new key where writes are %s, and let an existing one be written',
    async (writes) => {
      team.put('a');
      await team.addBackend('main', { access_mode: 'read_and_write', writes });
      await team.sync();
      await team.limit({ max_keys: 1 });
      expect(await team.write('a')).toEqual([200, undefined]);
      expect(await team.write('b')).toEqual([409, 'tenant_limit_reached']);
      expect(team.vault.kv(name).get('bifrost/b')).toBeUndefined();
      await team.limit({ max_keys: 2 });
      expect(await team.write('b')).toEqual([201, undefined]);
    },
  );

  test('let no more cycles be open at a time, and two thousand due backends keep nobody else waiting', async () => {
    const crowd = await team.make(`${name}-crowd`);
    await team.addBackend();
    const keys = await team.api.services.keyring.ofTenant(crowd.id);
    const [row] = await team.api.query('SELECT * FROM keyferry.backends WHERE tenant_id = $1', [id]);
    const columns = Object.keys(row ?? {});
    const own = new Set(['id', 'tenant_id', 'name', 'credentials_key_id']);
    await team.api.query(
      `INSERT INTO keyferry.backends (id, tenant_id, name, credentials_key_id, ${columns.filter((column) => !own.has(column)).join(', ')})
       SELECT gen_random_uuid(), $1, 'b' || n, $2, ${columns
         .filter((column) => !own.has(column))
         .map((column) => `b.${column}`)
         .join(', ')}
       FROM keyferry.backends b, generate_series(1, 2000) n WHERE b.tenant_id = $3`,
      [crowd.id, keys.encryptionKeyId, id],
    );
    const open = async (tenantId: string) => {
      const [{ count: many } = {}] = await team.api.query(
        `SELECT count(*)::integer AS count FROM keyferry.cycles WHERE tenant_id = $1 AND state = 'open'`,
        [tenantId],
      );
      return many;
    };
    await claimDue(team.api.services);
    expect([await open(crowd.id), await open(id)]).toEqual([100, 1]);
    await team.api.call('PATCH', `/v1/tenants/${crowd.id}`, { max_open_cycles: 120 });
    await claimDue(team.api.services);
    await claimDue(team.api.services);
    expect(await open(crowd.id)).toBe(120);
  });

  test('hold where several schedulers claim at the same time', async () => {
    for (const called of ['a', 'b', 'c', 'd']) await team.addBackend(called);
    await team.limit({ max_open_cycles: 2 });
    await Promise.all([1, 2, 3].map(() => claimDue(team.api.services)));
    expect(await openCycles()).toHaveLength(2);
  });

  test('hold where workers store new keys at the same time', async () => {
    for (const folder of ['a', 'b', 'c']) for (let index = 0; index < 10; index++) team.put(`${folder}/k${index}`);
    for (const called of ['a', 'b', 'c']) await team.addBackend(called, { sync_paths: [`bifrost/${called}/*`] });
    await team.limit({ max_keys: 15 });
    await claimDue(team.api.services);
    // Three workers.
    await Promise.all([1, 2, 3].map(() => team.api.work(id)));
    expect((await team.api.call('GET', `/v1/tenants/${name}`)).body.counts).toEqual({
      ...{ backends: 3, keys: 15, open_cycles: 0 },
    });
    const [reported] = await team.api.query(
      `SELECT count(*)::integer AS issues FROM keyferry.cycle_issues i JOIN keyferry.cycles c ON c.id = i.cycle_id
       WHERE c.tenant_id = $1 AND i.code = 'tenant_limit_reached'`,
      [id],
    );
    expect(reported).toEqual({ issues: 15 });
  });

  test('let every backend have its turn where there is more to do than may be open', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `b${index}`);
    for (const called of names) await team.addBackend(called, { sync_interval: '60s' });
    await team.api.query('UPDATE keyferry.backends SET last_success_at = now() WHERE tenant_id = $1', [id]);
    await team.limit({ max_open_cycles: 1 });
    team.time += 600_000;
    const turns = new Set<unknown>();
    for (let turn = 0; turn < 16; turn++) {
      // Every ten seconds, of a cycle that takes forty.
      for (let look = 0; look < 4; look++) {
        await claimDue(team.api.services);
        team.time += 10_000;
      }
      for (const { backend_id } of await openCycles()) turns.add(backend_id);
      await team.api.query(
        `UPDATE keyferry.cycles SET state = 'completed', closed_at = now() WHERE tenant_id = $1 AND state = 'open'`,
        [id],
      );
    }
    expect(turns.size).toBe(names.length);
  });
});

const openCycles = () =>
  team.api.query(`SELECT backend_id FROM keyferry.cycles WHERE tenant_id = $1 AND state = 'open'`, [id]);
