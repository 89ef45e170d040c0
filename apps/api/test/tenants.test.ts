import { defaultTenantId } from '@keyferry/store';
import { beforeEach, describe, expect, test } from 'vitest';
import { tenantOfEachTest } from './support/tenants.ts';

/** Tenants, as operators manage them and as their own people see that. */

const team = tenantOfEachTest();
let name: string;
let id: string;
let own: string;
beforeEach(() => {
  ({ name, id, own } = team);
});

describe('a tenant', () => {
  test('is made, shown, listed page by page, renamed and limited, and both audit logs tell by whom', async () => {
    expect((await team.api.call('GET', `/v1/tenants/${name}`)).body).toMatchObject({
      id,
      state: 'active',
      max_keys: null,
      counts: { backends: 0, keys: 0, open_cycles: 0 },
    });
    const names: string[] = [];
    let cursor = '';
    do {
      const { body } = await team.api.call('GET', `/v1/tenants?limit=1${cursor && `&cursor=${cursor}`}`);
      names.push(...body.items.map((tenant: { name: string }) => tenant.name));
      cursor = body.next_cursor;
    } while (cursor);
    expect(names).toEqual(expect.arrayContaining(['default', name]));
    expect(names).toEqual(names.toSorted());
    expect((await team.limit({ name: `${name}-x`, max_keys: 3 })).body).toMatchObject({
      name: `${name}-x`,
      max_keys: 3,
    });
    const entries = [
      ['tenant.created', name],
      ['tenant.updated', `${name}-x`],
    ];
    const said = (actor: string) => entries.map(([action, target]) => ({ actor, action, target }));
    expect(await team.audited(defaultTenantId)).toEqual(said('api-token'));
    expect(await team.audited(id)).toEqual(said('operator:api-token'));
  });

  test('has a name of its own, which is no id, and limits that can be', async () => {
    expect(await team.api.call('POST', '/v1/tenants', { name })).toMatchObject({
      status: 409,
      body: { error: { code: 'tenant_exists' } },
    });
    for (const body of [
      {},
      { name: id },
      { name: 'a b' },
      { name: 'x', max_keys: -1 },
      { name: 'x', max_open_cycles: 0 },
      { name: 'x', state: 'deleted' },
    ])
      expect(await team.api.call('POST', '/v1/tenants', body)).toMatchObject({
        status: 400,
        body: { error: { code: 'config_invalid' } },
      });
    expect((await team.limit({})).status).toBe(400);
    expect((await team.limit({ name: 'default' })).body.error.code).toBe('tenant_exists');
    for (const path of ['nobody', '11111111-1111-4111-8111-111111111111'])
      expect(await team.api.call('GET', `/v1/tenants/${path}`)).toMatchObject({
        status: 404,
        body: { error: { code: 'tenant_not_found' } },
      });
  });

  test('is managed by operators alone', async () => {
    const requests = [
      ['GET', '/v1/tenants'],
      ['POST', '/v1/tenants'],
      ['GET', `/v1/tenants/${id}`],
      ['PATCH', `/v1/tenants/${id}`],
      ['DELETE', `/v1/tenants/${id}`],
      ...['suspend', 'resume', 'deletion/approve', 'deletion/reject'].map((what) => [
        'POST',
        `/v1/tenants/${id}/${what}`,
      ]),
    ] as const;
    for (const [method, path] of requests) {
      const body = method === 'POST' || method === 'PATCH' ? { name: 'other' } : undefined;
      expect(await team.api.call(method as 'GET', path as string, body, own)).toMatchObject({
        status: 403,
        body: { error: { code: 'forbidden' } },
      });
    }
    expect((await team.api.call('GET', `/v1/tenants/${id}`)).body).toMatchObject({ name, state: 'active' });
  });

  test('that operators are of is neither suspended nor deleted', async () => {
    for (const answer of [
      await team.api.call('POST', '/v1/tenants/default/suspend'),
      await team.api.call('DELETE', '/v1/tenants/default'),
    ])
      expect(answer).toMatchObject({ status: 409, body: { error: { code: 'tenant_protected' } } });
  });
});

describe('the header that names a tenant', () => {
  test('lets an operator do in it what their scopes say, and read none of its values', async () => {
    team.put('openai');
    expect((await team.asOperator('POST', '/v1/federation/backends', team.backend())).status).toBe(201);
    await team.sync();
    expect((await team.asOperator('GET', '/v1/keys', undefined, id)).body.items).toHaveLength(1);
    expect((await team.api.call('GET', '/v1/keys')).body.items).toHaveLength(0);
    expect(await team.asOperator('GET', '/v1/secrets/bifrost/openai')).toMatchObject({
      status: 403,
      body: { error: { code: 'forbidden' } },
    });
    const [registered] = await team.api.query(
      `SELECT actor FROM keyferry.audit_log WHERE tenant_id = $1 AND action = 'backend.created'`,
      [id],
    );
    expect(registered).toEqual({ actor: 'operator:api-token' });
  });

  test('changes nothing of how an operator is named who manages tenants meanwhile', async () => {
    await team.asOperator('PATCH', `/v1/tenants/${id}`, { max_keys: 7 });
    const [mine] = (await team.audited(defaultTenantId)).slice(-1);
    const [theirs] = (await team.audited(id)).slice(-1);
    expect([mine?.actor, theirs?.actor]).toEqual(['api-token', 'operator:api-token']);
  });

  test('lets an operator name their own tenant, and keep what they may do in it', async () => {
    const answer = await team.asOperator('GET', '/v1/secrets/bifrost/openai', undefined, 'default');
    expect(answer.body.error.code).toBe('path_unmapped');
  });

  test('may name the tenant of the token that it comes with, by name or id', async () => {
    for (const named of [name, id])
      expect((await team.api.call('GET', '/v1/keys', undefined, own, { 'x-keyferry-tenant': named })).status).toBe(200);
  });

  test('is answered alike for a tenant of others and for one that there isn’t', async () => {
    const other = await team.make(`${name}-other`);
    for (const named of ['default', other.name, other.id, 'nobody', '', '22222222-2222-4222-8222-222222222222']) {
      const { status, body } = await team.api.call('GET', '/v1/keys', undefined, own, { 'x-keyferry-tenant': named });
      const { request_id: _, ...error } = body.error;
      expect([status, error]).toEqual([
        404,
        { code: 'tenant_not_found', message: `There is no tenant "${named}".`, action: expect.any(String) },
      ]);
    }
    expect((await team.asOperator('GET', '/v1/keys', undefined, 'nobody')).body.error.code).toBe('tenant_not_found');
  });

  test('says nothing to whoever has no token', async () => {
    for (const named of [name, 'nobody'])
      expect(
        await team.api.call('GET', '/v1/keys', undefined, 'no-token', { 'x-keyferry-tenant': named }),
      ).toMatchObject({
        status: 401,
      });
  });
});
