import { type ChangeMessage, changeMessage, errorAnswer, resolveAnswer, secretAnswer } from '@keyferry/contracts';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { openRedis, waitForRedis } from '@keyferry/queue';
import { defaultTenantId } from '@keyferry/store';
import { redisUrl } from '@keyferry/testing/support/redis.ts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createChangeDesk } from '../src/change-desk.ts';
import { startTestApi, type TestApi, token } from './support/test-api.ts';
import { startWay, type Way } from './support/way.ts';

const canary = 'canary-5d02-value';
const revokeToken = 'another-token-for-tests';

let vault: VaultEmulator;
let api: TestApi;

beforeAll(async () => {
  vault = await startVaultEmulator();
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  kv.put('bifrost/one', { value: canary });
  kv.put('bifrost/many', { user: 'ops', password: canary, port: 5432 });
  kv.put('bifrost/odd name #1%?', { value: 'odd' });
  for (const name of ['going', 'revoked', 'revoked-too', 'expired', 'changing'])
    kv.put(`bifrost/${name}`, { value: 'x' });
  kv.put('proxied/one', { value: `${canary}-proxied` });
  api = await startTestApi({ revokeToken });
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  const main = { name: 'main', kind: 'hashicorp', config, rotation_overlap: '1h' };
  const through = { name: 'through', kind: 'hashicorp', config, mode: 'proxy', sync_paths: ['proxied/*'] };
  for (const backend of [main, through]) await api.call('POST', '/v1/federation/backends', backend);
  await synced();
});

afterAll(async () => {
  await api.close();
  await vault.close();
});

async function synced(): Promise<void> {
  await api.call('POST', '/v1/federation/backends/main/sync');
  await api.work();
}

const get = (path: string, headers: object = {}) =>
  api.call('GET', `/v1/secrets/${path}`, undefined, undefined, headers);
const refusal = async (path: string) => {
  const { status, body } = await get(path);
  return [status, errorAnswer.parse(body).error.code];
};

describe('a synced secret', () => {
  test('is answered from the store, with its version and an ETag', async () => {
    const { status, body, headers } = await get('bifrost/one');
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        path: 'bifrost/one',
        value: canary,
        encoding: 'utf8',
        version: 1,
        remote_version: '1',
        state: 'active',
        source: 'store',
        age: expect.any(Number),
        stale: false,
        type: 'api_key',
        content_type: 'application/json',
        expires_at: null,
        backend: 'main',
      },
    });
    const { body: key } = await api.call('GET', '/v1/keys/bifrost/one');
    expect(headers).toMatchObject({ etag: `"${key.id}.1"`, 'cache-control': 'no-store' });
  });

  test('is not sent again to who has it, by its ETag', async () => {
    const { headers } = await get('bifrost/one');
    const known = { 'if-none-match': String(headers.etag) };
    expect(await get('bifrost/one', known)).toMatchObject({ status: 304, body: null, headers: { etag: headers.etag } });
    expect((await get('bifrost/one', { 'if-none-match': '"another"' })).status).toBe(200);
  });

  test('has fields, where it is a JSON object', async () => {
    expect((await get('bifrost/many?field=password')).body.value).toBe(canary);
    expect((await get('bifrost/many?field=port')).body).toMatchObject({ value: '5432', encoding: 'utf8' });
    expect(JSON.parse((await get('bifrost/many')).body.value)).toEqual({ user: 'ops', password: canary, port: 5432 });
    expect(await refusal('bifrost/many?field=none')).toEqual([404, 'field_not_found']);
    expect(await refusal('bifrost/one?field=user')).toEqual([404, 'field_not_found']);
  });

  test('is found whatever signs are in its name', async () => {
    expect((await get(encodeURIComponent('bifrost/odd name #1%?'))).body.value).toBe('odd');
  });

  test('has its version before for as long as the overlap says', async () => {
    vault.kv('secret').put('bifrost/changing', { value: 'y' });
    await synced();
    await vi.waitFor(async () =>
      expect((await get('bifrost/changing')).body).toMatchObject({ value: 'y', version: 2 }),
    );
    expect((await get('bifrost/changing?version=1')).body).toMatchObject({
      value: 'x',
      version: 1,
      remote_version: '1',
    });
    expect(await refusal('bifrost/changing?version=7')).toEqual([404, 'version_gone']);
    await api.query('UPDATE keyferry.key_versions SET readable_until = now()');
    expect(await refusal('bifrost/changing?version=1')).toEqual([410, 'version_unreadable']);
  });

  test('is served with a warning while it is deprecated, and not once it is archived or has ended', async () => {
    vault.kv('secret').delete('bifrost/going');
    await synced();
    await vi.waitFor(async () => expect((await get('bifrost/going')).body.state).toBe('deprecated'));
    expect((await get('bifrost/going')).headers.warning).toMatch(/^299 keyferry ".*deprecated.*"$/);

    expect((await get('bifrost/revoked')).body.value).toBe('x');
    await api.call('POST', '/v1/keys/revoke', { paths: ['bifrost/revoked'], reason: 'leaked' }, revokeToken);
    await vi.waitFor(async () => expect(await refusal('bifrost/revoked')).toEqual([410, 'key_not_served']));
    await api.query(`UPDATE keyferry.keys SET expires_at = now() WHERE local_path = 'bifrost/expired'`);
    expect(await refusal('bifrost/expired')).toEqual([410, 'key_not_served']);
  });

  test('that is not there is not found, and neither is a path that no backend has', async () => {
    expect(await refusal('bifrost/none')).toEqual([404, 'key_not_found']);
    expect(await refusal('nowhere/none')).toEqual([404, 'path_unmapped']);
  });
});

describe('a proxied secret', () => {
  test('is one call to its vault each time, and its value is nowhere but in the answer', async () => {
    await get('proxied/one');
    vault.requests.reset();
    const { body } = await get('proxied/one');
    expect(secretAnswer.parse(body)).toMatchObject({ source: 'vault', version: null, value: `${canary}-proxied` });
    expect(vault.requests.total).toBe(1);
    const tables = await api.query(`SELECT table_name FROM information_schema.tables WHERE table_schema = 'keyferry'`);
    expect(tables.length).toBeGreaterThan(15);
    for (const { table_name: table } of tables)
      expect(await api.query(`SELECT 1 FROM keyferry.${table} t WHERE t::text LIKE '%${canary}%'`)).toEqual([]);
  });

  test('is stale while its vault is away, and an error with its class where nothing is known', async () => {
    // So that what was flushed before is not told of in between.
    await api.secrets.check(defaultTenantId);
    await get('proxied/one');
    const fault = vault.faults.inject({ effect: { kind: 'status', status: 503 }, path: '*/proxied/*' });
    expect((await get('proxied/one')).body).toMatchObject({ value: `${canary}-proxied`, stale: true });
    expect(await refusal('proxied/two')).toEqual([502, 'vault_unavailable']);
    // Who has it already is told so as well.
    const known = { 'if-none-match': String((await get('proxied/one')).headers.etag) };
    expect(await get('proxied/one', known)).toMatchObject({ status: 200, body: { stale: true } });
    fault.remove();
    expect((await get('proxied/one')).body.stale).toBe(false);
    expect((await get('proxied/one', known)).status).toBe(304);
    const forbidden = vault.faults.inject({ effect: { kind: 'status', status: 403 }, path: '*/proxied/*' });
    expect(await refusal('proxied/one')).toEqual([502, 'vault_forbidden']);
    forbidden.remove();
    expect(await refusal('proxied/two')).toEqual([404, 'key_not_found']);
    expect(await refusal('proxied/one?version=1')).toEqual([400, 'request_invalid']);
  });
});

test('references are resolved one by one', async () => {
  const references = [
    'vault.bifrost/one',
    'vault.bifrost/many#user',
    'vault.proxied/one',
    'plain',
    'env.PATH',
    'vault.x',
  ];
  const { status, body, headers } = await api.call('POST', '/v1/secrets/resolve', { references });
  expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
  const { items } = resolveAnswer.parse(body);
  expect(items.map((item) => ('error' in item ? item.error.code : item.value))).toEqual([
    canary,
    'ops',
    `${canary}-proxied`,
    'plain',
    'reference_refused',
    'path_unmapped',
  ]);
  expect(items.map(({ reference }) => reference)).toEqual(references);
});

test('names are listed page by page', async () => {
  const paths: string[] = [];
  let cursor = '';
  do {
    const { body } = await api.call('GET', `/v1/secrets?limit=2${cursor && `&cursor=${cursor}`}`);
    paths.push(...body.items.map((item: { path: string; mode: string }) => `${item.path} ${item.mode}`));
    cursor = body.next_cursor;
  } while (cursor);
  expect(paths).toEqual([
    'bifrost/changing sync',
    'bifrost/going sync',
    'bifrost/many sync',
    'bifrost/odd name #1%? sync',
    'bifrost/one sync',
    'bifrost/revoked-too sync',
    'proxied/one proxy',
  ]);
  expect((await api.call('GET', '/v1/secrets?cursor=nonsense')).body.error.code).toBe('request_invalid');
});

describe('the change feed', () => {
  /** The messages of a connection, as they come. */
  async function follow(address: string) {
    const controller = new AbortController();
    const answer = await fetch(`${address}/v1/changes`, {
      headers: { authorization: `Bearer ${token}` },
      signal: controller.signal,
    });
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    const messages: ChangeMessage[] = [];
    const reading = (async () => {
      let text = '';
      for await (const chunk of answer.body ?? []) {
        text += Buffer.from(chunk).toString();
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) messages.push(changeMessage.parse(JSON.parse(part.replace(/^data: /, ''))));
      }
    })().catch(() => {});
    return {
      messages,
      async stop() {
        controller.abort();
        await reading;
      },
    };
  }

  test('says hello, tells changed paths without values and flushes, and is alive each second', async () => {
    const address = await api.app.listen({ port: 0 });
    const client = await follow(address);
    await vi.waitFor(() => expect(client.messages[0]).toEqual({ type: 'hello', position: expect.any(String) }));
    vault.kv('secret').put('bifrost/one', { value: `${canary}-2` });
    await synced();
    await vi.waitFor(() => expect(client.messages).toContainEqual({ type: 'changed', paths: ['bifrost/one'] }));
    await api.call('POST', '/api/vault/flush-cache');
    await vi.waitFor(() => expect(client.messages).toContainEqual({ type: 'flush' }));
    await vi.waitFor(() => expect(client.messages).toContainEqual({ type: 'alive' }), { timeout: 3_000 });
    await client.stop();

    const [hello] = client.messages;
    // The flush was told at once; what Postgres has of it and of the cycle is looked at every half second.
    await api.secrets.check(defaultTenantId);
    const again = await follow(address);
    await vi.waitFor(() => expect(again.messages).not.toEqual([]));
    expect(again.messages[0]).not.toEqual(hello);
    const once = await follow(address);
    await vi.waitFor(() => expect(once.messages).not.toEqual([]));
    expect(once.messages[0]).toEqual(again.messages[0]);
    await Promise.all([again.stop(), once.stop()]);
  });

  test('ends for all when it closes, also for who comes just then', async () => {
    const desk = createChangeDesk(api.secrets);
    const follower = { tenantId: defaultTenantId, mayRead: () => true, standing: () => '', askAgain: async () => {} };
    const early = await desk.follow(follower);
    const late = desk.follow(follower);
    desk.close();
    api.secrets.flush(defaultTenantId);
    for (const stream of [early, await late]) {
      const chunks = await Array.fromAsync(stream);
      expect(chunks.join('')).not.toContain('flush');
    }
  });

  test('is not for who has no token', async () => {
    expect((await api.call('GET', '/v1/changes', undefined, 'none-of-the-tokens')).status).toBe(401);
  });
});

describe('flushing', () => {
  const flush = (of: TestApi, by?: string) => of.call('POST', '/api/vault/flush-cache', undefined, by);

  test('answers exactly what clients of it know', async () => {
    expect(await flush(api)).toMatchObject({ status: 200, body: { message: 'vault cache flushed' } });
    expect((await flush(api, 'none-of-the-tokens')).status).toBe(401);
    const answer = await api.app.inject({
      method: 'POST',
      url: '/api/vault/flush-cache',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'all=1',
    });
    expect([answer.statusCode, answer.payload]).toEqual([200, '{"message":"vault cache flushed"}']);
    const audited = await api.query(`SELECT actor FROM keyferry.audit_log WHERE action = 'cache.flushed'`);
    expect(audited.at(-1)).toEqual({ actor: 'api-token' });
    const empty = await startTestApi();
    const refused = await flush(empty);
    expect([refused.status, refused.body]).toEqual([400, { error: 'vault is not enabled' }]);
    await empty.close();
  });

  describe('another instance', () => {
    const ways: Way[] = [];
    let passed = 0;
    let peer: TestApi;
    const way = async (url: string) => {
      const made = await startWay(url);
      ways.push(made);
      return made.url;
    };
    const seen = async () => (await peer.call('GET', '/v1/secrets/proxied/one')).body;
    const put = (value: string) => vault.kv('secret').put('proxied/one', { value });

    beforeAll(async () => {
      await api.call('PATCH', '/v1/federation/backends/through', { cache_ttl: '1h' });
      peer = await startTestApi({
        beside: api,
        // Where each read has to be in the audit log, nothing is answered without Postgres.
        auditReads: false,
        // It follows nothing by itself: only what Redis tells, and what it has to ask before it answers.
        reader: { pollMs: null },
        now: () => new Date(Date.now() + passed),
        through: { redis: way, database: way },
      });
    });
    afterAll(async () => {
      await peer.close();
      for (const one of ways) await one.cut().catch(() => {});
    });

    test('drops what it has within a second', async () => {
      put('before');
      passed += 3_000;
      expect(await seen()).toMatchObject({ value: 'before', stale: false });
      put('after');
      expect((await seen()).value).toBe('before');
      await flush(api);
      // Its clock stands nearly still: Postgres is not asked again.
      await vi.waitFor(async () => expect((await seen()).value).toBe('after'), { timeout: 1_000, interval: 20 });
    });

    test('answers what was revoked or rolled back as it is, as soon as that is done', async () => {
      const value = async (path: string) => (await peer.call('GET', `/v1/secrets/bifrost/${path}`)).body.value;
      const code = async () => (await peer.call('GET', '/v1/secrets/bifrost/revoked-too')).body.error?.code;
      expect([await value('changing'), await value('revoked-too')]).toEqual(['y', 'x']);
      expect((await peer.call('POST', '/v1/rollback/bifrost/changing', { to: 1 })).status).toBe(200);
      expect(await value('changing')).toBe('x');
      const paths = ['bifrost/revoked-too'];
      await peer.call('POST', '/v1/keys/revoke', { paths, reason: 'leaked', dry_run: true });
      expect(await code()).toBeUndefined();
      await peer.call('POST', '/v1/keys/revoke', { paths, reason: 'leaked' });
      expect(await code()).toBe('key_not_served');
    });

    test('hears of what another one revoked within a second', async () => {
      await peer.call('GET', '/v1/secrets/bifrost/many');
      const request = { paths: ['bifrost/many'], reason: 'leaked' };
      expect((await api.call('POST', '/v1/keys/revoke', request, revokeToken)).body.count).toBe(1);
      const seenNow = async () => (await peer.call('GET', '/v1/secrets/bifrost/many')).status;
      await vi.waitFor(async () => expect(await seenNow()).toBe(410), { timeout: 1_000, interval: 20 });
    });

    test('that is cut off from Redis and from the feed asks Postgres before it answers what is two seconds old', async () => {
      await (ways.find(({ url }) => url.startsWith('redis')) as Way).cut();
      passed += 3_000;
      put('one');
      await flush(api);
      expect((await seen()).value).toBe('one');
      put('two');
      await flush(api);
      passed += 2_001;
      expect(await seen()).toMatchObject({ value: 'two', stale: false });
    });

    test('that is cut off from Postgres too asks the vault, and answers what is stored as stale', async () => {
      const stored = async () => (await peer.call('GET', '/v1/secrets/bifrost/one')).body;
      expect(await stored()).toMatchObject({ source: 'store', stale: false });
      await (ways.find(({ url }) => url.startsWith('postgres')) as Way).cut();
      put('three');
      passed += 2_001;
      expect(await seen()).toMatchObject({ value: 'three', stale: false });
      expect(await stored()).toMatchObject({ value: `${canary}-2`, stale: true });
      const { status, body } = await peer.call('GET', '/v1/secrets/bifrost/many');
      expect([status, body.error.code]).toEqual([503, 'database_unavailable']);
      // As long as it may: an hour where nothing else is set.
      passed += 3_600_000;
      expect((await stored()).error.code).toBe('database_unavailable');
    });
  });
});

test('no value is in the log, nor in what Redis holds', async () => {
  expect(api.lines.join('\n')).not.toContain(canary);
  const redis = openRedis(redisUrl(), 'producer', () => {});
  await waitForRedis(redis, 10_000);
  const keys = await redis.keys(`${api.installation.prefix}*`);
  for (const key of keys) expect(String(await redis.dump(key))).not.toContain(canary);
  redis.disconnect();
});
