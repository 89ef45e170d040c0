import { anchorAuditLogs, purgeDeleted, sealAuditLogs } from '@keyferry/pipeline';
import { createKeyring, forgetDeletedTenants, loadMasterKey } from '@keyferry/store';
import { beforeEach, describe, expect, test } from 'vitest';
import { tenantOfEachTest } from './support/tenants.ts';
import { startTestApi } from './support/test-api.ts';

/** The end of a tenant, by the API. */

const team = tenantOfEachTest();
let name: string;
let id: string;
let own: string;
beforeEach(() => {
  ({ name, id, own } = team);
});

describe('deleting', () => {
  test('happens at once where there are no keys, and the name is free then', async () => {
    await team.addBackend();
    expect(await team.api.call('DELETE', `/v1/tenants/${name}`)).toMatchObject({
      status: 200,
      body: { state: 'deleted' },
    });
    expect((await team.api.call('GET', `/v1/tenants/${name}`)).body.error.code).toBe('tenant_not_found');
    expect((await team.api.call('GET', `/v1/tenants/${id}`)).body.state).toBe('deleted');
    expect((await team.make(name)).id).not.toBe(id);
    expect((await team.api.call('DELETE', `/v1/tenants/${id}`)).body.error.code).toBe('tenant_outdated');
    expect((await team.api.call('PATCH', `/v1/tenants/${id}`, { max_keys: 1 })).body.error.code).toBe(
      'tenant_outdated',
    );
    expect((await team.asOperator('GET', '/v1/keys', undefined, id)).body.error.code).toBe('tenant_not_found');
  });

  test('waits for a second word where there are keys, which may be no', async () => {
    await team.withKey();
    expect(await team.api.call('DELETE', `/v1/tenants/${name}`)).toMatchObject({
      status: 202,
      body: { state: 'deleting', deletion_requested_by: 'api-token', counts: { backends: 1, keys: 1 } },
    });
    expect((await team.api.call('DELETE', `/v1/tenants/${name}`)).body.error.code).toBe('tenant_outdated');
    expect((await team.act('resume')).body.error.code).toBe('tenant_outdated');
    expect((await team.act('deletion/reject')).body).toMatchObject({ state: 'suspended', deletion_requested_by: null });
    expect((await team.act('deletion/approve')).body.error.code).toBe('tenant_outdated');
    await team.act('resume');
    expect((await team.read('openai')).body.value).toBe('sk-openai');
    expect((await team.audited(id)).map(({ action }) => action).slice(-4)).toEqual(
      ['tenant.created', 'tenant.deletion_held', 'tenant.deletion_rejected', 'tenant.resumed'].slice(-4),
    );
  });

  test('leaves nothing that the master key opens, nor memory, and never touches a vault', async () => {
    await team.withKey();
    const before = await team.api.query('SELECT * FROM keyferry.encryption_keys WHERE tenant_id = $1', [id]);
    expect(before).toHaveLength(2);
    const calls = team.vault.kv(name).get('bifrost/openai');
    const second = await startTestApi({ beside: team.api, authenticators: [team.people] });
    try {
      expect((await second.call('GET', '/v1/secrets/bifrost/openai', undefined, own)).status).toBe(200);
      await team.api.call('DELETE', `/v1/tenants/${name}`);
      expect((await team.act('deletion/approve')).body).toMatchObject({ state: 'deleted' });
      // Another process forgets both keys and values.
      expect(second.services.keyring.held()).toContain(id);
      await forgetDeletedTenants(second.services.store, second.services.keyring, second.secrets.flush);
      expect(second.services.keyring.held()).not.toContain(id);
      const { status, body } = await second.call('GET', '/v1/secrets/bifrost/openai', undefined, own);
      expect([status, JSON.stringify(body)]).toEqual([404, expect.not.stringContaining('sk-openai')]);
    } finally {
      await second.close();
    }
    const after = await team.api.query('SELECT wrapped FROM keyferry.encryption_keys WHERE tenant_id = $1', [id]);
    expect(after.map(({ wrapped }) => (wrapped as Buffer).length)).toEqual([0, 0]);
    // Neither the wrapped keys nor any part of them are in a dump.
    const dump = await wholeDump();
    for (const { wrapped } of before) expect(dump).not.toContain((wrapped as Buffer).toString('hex').slice(0, 40));
    const masterKey = await loadMasterKey(team.api.services.store, { text: team.api.installation.masterKey });
    await expect(createKeyring(team.api.services.store, masterKey).ofTenant(id)).rejects.toMatchObject({
      code: 'tenant_not_found',
    });
    expect(team.vault.kv(name).get('bifrost/openai')).toEqual(calls);
  });

  test('ends what is under way, and whoever may do something', async () => {
    await team.withKey();
    await team.api.query(
      `WITH someone AS (INSERT INTO keyferry.identities (tenant_id, name, scopes, created_by, created_at, updated_at)
         VALUES ($1, 'someone', '{}', 'x', now(), now()) RETURNING id, tenant_id)
       INSERT INTO keyferry.tokens (tenant_id, identity_id, name, digest, shown, created_by, created_at)
       SELECT tenant_id, id, 'x', decode(repeat('ab', 32), 'hex'), 'kf_', 'x', now() FROM someone`,
      [id],
    );
    await team.api.call('POST', '/v1/federation/backends/main/sync', undefined, own);
    const revision = await revisionOf(id);
    await team.api.call('DELETE', `/v1/tenants/${name}`);
    await team.act('deletion/approve');
    expect(await revisionOf(id)).toBeGreaterThan(revision);
    expect(await team.api.query(`SELECT FROM keyferry.cycles WHERE tenant_id = $1 AND state = 'open'`, [id])).toEqual(
      [],
    );
    expect(
      await team.api.query('SELECT FROM keyferry.tokens WHERE tenant_id = $1 AND revoked_at IS NULL', [id]),
    ).toEqual([]);
    expect((await team.addBackend('late')).body.error.code).toBe('tenant_not_found');
  });

  test('lets a worker that is in the middle of a shard store nothing more', async () => {
    await team.withKey();
    team.put('openai', 'sk-newer');
    team.put('late');
    const { body: opened } = await team.api.call('POST', '/v1/federation/backends/main/sync', undefined, own);
    const slow = team.vault.faults.inject({ effect: { kind: 'slow', delayMs: 1500 }, path: `${name}/data/*` });
    let ended = false;
    const working = team.api.work(id).then(() => {
      ended = true;
    });
    await expect.poll(() => slow.hits).toBe(2);
    await team.remove();
    expect((await team.act('deletion/approve')).body.state).toBe('deleted');
    expect(ended).toBe(false);
    await working;
    slow.remove();
    expect(await team.api.query('SELECT local_path, version FROM keyferry.keys WHERE tenant_id = $1', [id])).toEqual([
      { local_path: 'bifrost/openai', version: 1 },
    ]);
    const [cycle] = await team.api.query('SELECT state, error_code FROM keyferry.cycles WHERE id = $1', [opened.id]);
    expect(cycle).toEqual({ state: 'failed', error_code: 'tenant_not_found' });
    expect(team.api.lines.filter((line) => line.includes('failed unexpectedly'))).toEqual([]);
  });

  test.each([
    ['a new key', 'late'],
    ['a key', 'openai'],
  ])('refuses a write of %s that the vault is taking at that moment', async (_, path) => {
    team.put('openai');
    await team.addBackend('main', { access_mode: 'read_and_write', writes: 'write_through' });
    await team.sync();
    const slow = team.vault.faults.inject({
      effect: { kind: 'slow', delayMs: 1500 },
      method: 'POST',
      path: `${name}/data/bifrost/${path}`,
    });
    let ended = false;
    const writing = team.write(path).finally(() => {
      ended = true;
    });
    await expect.poll(() => slow.hits).toBe(1);
    await team.remove();
    expect((await team.act('deletion/approve')).body.state).toBe('deleted');
    expect(ended).toBe(false);
    expect(await writing).toEqual([404, 'backend_not_found']);
    slow.remove();
    expect(await team.api.query('SELECT local_path, version FROM keyferry.keys WHERE tenant_id = $1', [id])).toEqual([
      { local_path: 'bifrost/openai', version: 1 },
    ]);
    expect(team.api.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  test('is followed by the removal of all rows, batch by batch, but for what tells who did what', async () => {
    await team.withKey();
    await team.addNotice(new Date(team.time + 60_000));
    await team.api.call('POST', '/v1/keys/revoke', { paths: ['bifrost/openai'], reason: 'leaked' }, own);
    await team.api.call('DELETE', `/v1/tenants/${name}`);
    await team.act('deletion/approve');
    expect(await purgeDeleted(team.api.services)).toBe(0);
    team.time += 600_000;
    expect(await purgeDeleted(team.api.services)).toBeGreaterThan(5);
    expect(Object.keys(await rowsOf(id)).sort()).toEqual([
      'access_revisions',
      'audit_batches',
      'audit_log',
      'key_changes',
    ]);
    expect((await team.api.call('GET', `/v1/tenants/${id}`)).body.purged_at).not.toBeNull();
    expect(await purgeDeleted(team.api.services)).toBe(0);
    expect((await team.audited(id)).at(-1)).toMatchObject({ action: 'tenant.purged' });
    // What seals and anchors the rest leaves nothing that would never be removed.
    const anchors: string[] = [];
    await sealAuditLogs(team.api.services);
    await anchorAuditLogs(team.api.services, async ({ tenant_id }) => void anchors.push(tenant_id));
    expect(anchors).toContain(id);
    expect(Object.keys(await rowsOf(id))).not.toContain('outbox');
  });
});

const revisionOf = async (tenantId: string) =>
  Number(
    (await team.api.query('SELECT revision FROM keyferry.access_revisions WHERE tenant_id = $1', [tenantId]))[0]
      ?.revision,
  );

/** How many rows each table has of a tenant, where it has any. */
async function rowsOf(tenantId: string): Promise<Record<string, number>> {
  const tables = await team.api.query(
    `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'keyferry' AND column_name = 'tenant_id'`,
  );
  const counts: Record<string, number> = {};
  for (const { name: table } of tables) {
    const [row] = await team.api.query(
      `SELECT count(*)::integer AS count FROM keyferry.${table} WHERE tenant_id = $1`,
      [tenantId],
    );
    if (Number(row?.count) > 0) counts[String(table)] = Number(row?.count);
  }
  return counts;
}

async function wholeDump(): Promise<string> {
  const tables = await team.api.query(`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'keyferry'`);
  const texts: string[] = [];
  for (const { name: table } of tables)
    for (const row of await team.api.query(`SELECT t::text AS text FROM keyferry.${table} t`))
      texts.push(String(row.text));
  return texts.join('\n');
}
