import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ChannelKind } from '@keyferry/core';
import { createChannel, createKeyring, createRule, defaultTenantId, loadMasterKey, openStore } from '@keyferry/store';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { addressOf } from '../support/api-address.ts';
import { everyColumn, formsOf } from '../support/every-column.ts';
import { openSite, type Site } from '../support/site.ts';

/** Invariant 6: secret values are found nowhere but as ciphertext. */

const canary = 'canary-7f3a9c51-never-to-be-seen';
const tokenCanary = 'hvs.canary-token-2b8e04d6';

let site: Site;
beforeEach(async () => {
  site = await openSite();
});
afterEach(() => site.close());

test('canary values are found nowhere: Redis, logs, events, every column of every table', {
  timeout: 90_000,
}, async () => {
  const secrets = site.vault.kv('secret');
  for (let index = 0; index < 30; index++)
    secrets.put(`bifrost/k${index}`, { value: `${canary}-${index}`, user: canary });
  secrets.put('bifrost/huge', { value: canary.repeat(80_000) });
  site.vault.policies.write('all', { '*': ['read', 'list'] });
  const token = site.vault.tokens.create({ policies: ['all'], id: tokenCanary });
  const id = await site.addBackend({ auth: { method: 'token', token } });
  const scheduler = await site.start('scheduler', { KEYFERRY_LOG_LEVEL: 'trace' });
  const worker = await site.start('worker', { KEYFERRY_LOG_LEVEL: 'trace', DEBUG: '*', NODE_DEBUG: 'http,undici' });
  await site.allEnded(1);

  // One that was changed here as well, and waits for a person.
  await site.read((tx) => tx.updateTable('backends').set({ conflict_policy: 'manual' }).where('id', '=', id).execute());
  const changedHere = { local_digest: Buffer.alloc(32, 1), row_version: 99 };
  await site.read((tx) => tx.updateTable('keys').set(changedHere).where('local_path', '=', 'bifrost/k2').execute());
  secrets.put('bifrost/k2', { value: `${canary}-in-conflict` }, { customMetadata: { owner: 'team' } });

  // Changes, deletions, and failures whose bodies quote the value and the token.
  secrets.put('bifrost/k0', { value: `${canary}-changed` });
  secrets.deleteMetadata('bifrost/k1');
  const body = JSON.stringify({ errors: [`${canary} ${tokenCanary}`] });
  site.vault.faults.inject({ effect: { kind: 'status', status: 403, body }, path: 'secret/data/bifrost/k0' });
  site.vault.faults.inject({ effect: { kind: 'cut' }, path: 'secret/metadata/bifrost/k1' });
  await again(id);
  await site.allEnded(2);
  site.vault.faults.inject({ effect: { kind: 'status', status: 500, body }, operation: 'list' });
  await again(id);
  await site.allEnded(3);
  // The huge one is over the limit, and reported.
  expect(await site.keyCount()).toBe(30);
  await vi.waitFor(async () => expect(await site.redisClient.xlen('{keyferry}:events')).toBeGreaterThanOrEqual(4));

  const places = {
    'the worker’s log': worker.output(),
    'the scheduler’s log': scheduler.output(),
    Redis: await redisContents(),
    Postgres: await everyColumn(site.postgres.url),
    events: JSON.stringify(await site.events()),
  };
  expect(places.Postgres).toContain('bifrost/k0');
  expect(places.events).toContain('conflict.detected');
  expect(await site.read((tx) => tx.selectFrom('conflicts').selectAll().execute())).toHaveLength(1);
  expect(places.Redis).toContain('federation.sync.completed');
  expect(places['the worker’s log']).toContain('cycle completed');
  for (const [place, content] of Object.entries(places))
    for (const secret of [canary, tokenCanary, Buffer.alloc(32, 9).toString('base64')])
      for (const form of formsOf(secret))
        expect(content.includes(form), `${secret} as ${form} in ${place}`).toBe(false);
});

test('what a channel keeps secret is found nowhere: Redis, logs, every column of every table', {
  timeout: 90_000,
}, async () => {
  const [pathToken, signingSecret, password] = [
    'canary-in-a-path-5d1f',
    'canary-that-signs-88a0-24bytes',
    'canary-password-31cc',
  ];
  const server = createServer((request, response) => {
    // A receiver that quotes what it got.
    response.writeHead(500, { 'x-quoted': request.url }).end(`${request.url} ${request.headers['webhook-signature']}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/${pathToken}`;
  const signing_secret = `whsec_${Buffer.from(signingSecret).toString('base64')}`;
  const mail = {
    host: '127.0.0.1',
    port,
    security: 'none',
    username: 'keyferry',
    from: 'k@example.com',
    to: ['a@example.com'],
    ca_cert: null,
  };
  const names = await addChannels(site, [
    { kind: 'webhook', config: { address: new URL(url).origin }, secret: { url, signing_secret } },
    { kind: 'slack', config: { address: new URL(url).origin }, secret: { url } },
    { kind: 'email', config: mail, secret: { password } },
  ]);
  site.vault.kv('secret').put('bifrost/a', { value: 'a' });
  await site.addBackend();
  const scheduler = await site.start('scheduler', { KEYFERRY_LOG_LEVEL: 'trace', DEBUG: '*' });
  const worker = await site.start('worker', {
    KEYFERRY_LOG_LEVEL: 'trace',
    KEYFERRY_ALLOWED_EGRESS: '127.0.0.1',
    DEBUG: '*',
  });
  await vi.waitFor(
    async () => {
      const channels = await site.read((tx) => tx.selectFrom('channels').select(['name', 'failures']).execute());
      expect(
        channels
          .filter(({ failures }) => failures > 0)
          .map(({ name }) => name)
          .sort(),
      ).toEqual(names);
    },
    { timeout: 60_000, interval: 50 },
  );
  const places = {
    'the worker’s log': worker.output(),
    'the scheduler’s log': scheduler.output(),
    Redis: await redisContents(),
    Postgres: await everyColumn(site.postgres.url),
  };
  expect(places['the worker’s log']).toContain('a notice was not delivered');
  for (const [place, content] of Object.entries(places))
    for (const secret of [pathToken, signingSecret, signing_secret, password])
      for (const form of formsOf(secret))
        expect(content.includes(form), `${secret} as ${form} in ${place}`).toBe(false);
});

test('what is written and read through Keyferry is found nowhere: answers of other kinds, Redis, logs, events, every column', {
  timeout: 120_000,
}, async () => {
  const vault = site.vault.kv('secret');
  vault.put('bifrost/found', { value: `${canary}-found`, user: canary });
  vault.put('local/both', { value: `${canary}-before` });
  vault.put('proxied/one', { value: `${canary}-proxied`, user: canary });
  await site.addBackend({ access_mode: 'read_and_write', writes: 'write_through' });
  const local = await site.addBackend({
    prefix: 'local',
    sync_paths: ['local/*'],
    writes: 'local',
    conflict_policy: 'manual',
    validation_rules: [{ paths: ['local/ruled'], pattern: '^never$', severity: 'reject' }],
  });
  await site.addBackend({ prefix: 'proxied', sync_paths: ['proxied/*'], mode: 'proxy', max_stale_seconds: 0 });
  const verbose = { KEYFERRY_LOG_LEVEL: 'trace', NODE_DEBUG: 'http,undici', DEBUG: '*' };
  const scheduler = await site.start('scheduler', verbose);
  const worker = await site.start('worker', verbose);
  const { api, send } = await startVerboseApi(verbose);
  await site.allEnded(3);

  const told: string[] = [];
  /** An answer that must not have the value. */
  const ask = async (...request: Parameters<typeof send>) => {
    const { status, text } = await send(...request);
    told.push(text);
    return status;
  };
  const put = (path: string, value: string, headers = {}) => ask('PUT', `/v1/secrets/${path}`, { value }, headers);
  const quoting = JSON.stringify({ errors: [canary] });
  const refusing = { kind: 'status', status: 403, body: quoting } as const;
  site.vault.faults.inject({ effect: refusing, path: 'secret/data/bifrost/refused' });
  site.vault.faults.inject({ effect: { kind: 'garbage', body: canary }, path: 'secret/data/bifrost/garbled' });

  // Each way of writing, and of failing to.
  const once = { 'idempotency-key': 'once' };
  expect(await put('bifrost/a', canary, once)).toBe(201);
  expect(await put('bifrost/a', canary, once)).toBe(201);
  expect(await put('bifrost/a', `${canary}-other`, once)).toBe(422);
  expect(await put('bifrost/a', `${canary}-later`)).toBe(200);
  expect(await put('bifrost/a', `${canary}-unmet`, { 'if-match': '"nothing"' })).toBe(412);
  expect(await put('bifrost/json', JSON.stringify({ user: canary, password: canary }))).toBe(201);
  expect(await put('local/a', canary)).toBe(201);
  const coded = (bytes: string, encoding = 'base64') =>
    ask('PUT', '/v1/secrets/local/coded', { value: Buffer.from(bytes, 'latin1').toString('base64'), encoding });
  expect(await coded(canary)).toBe(201);
  expect(await coded(`\xff${canary}`)).toBe(400);
  expect(await coded(canary, canary)).toBe(400);
  expect(await put('local/ruled', canary)).toBe(400);
  expect(await put('local/large', canary.repeat(80_000))).toBe(413);
  expect(await put('proxied/one', canary)).toBe(403);
  expect(await put('nowhere', canary)).toBe(404);
  expect(await put('bifrost/refused', canary)).toBe(502);
  expect(await put('bifrost/garbled', canary)).toBe(502);
  vault.put('bifrost/found', { value: `${canary}-theirs`, user: canary });
  expect(await put('bifrost/found', `${canary}-ours`)).toBe(409);
  expect(await ask('DELETE', '/v1/secrets/bifrost/a')).toBe(200);

  // Each way of reading, and of failing to.
  for (const path of ['bifrost/json', 'local/a', 'proxied/one?field=user', 'local/both']) {
    const { status, text } = await send('GET', `/v1/secrets/${path}`);
    expect([status, text.includes(canary)]).toEqual([200, true]);
  }
  const references = ['vault.bifrost/json#password', 'vault.local/a', 'vault.proxied/one#user', canary];
  expect((await send('POST', '/v1/secrets/resolve', { references })).text.split(canary)).toHaveLength(6);
  const failing = ['vault.bifrost/json#none', 'vault.local/none'];
  expect(await ask('POST', '/v1/secrets/resolve', { references: failing })).toBe(200);
  expect(await ask('GET', '/v1/secrets/proxied/one?field=none')).toBe(404);
  expect(await ask('GET', '/v1/secrets')).toBe(200);
  site.vault.faults.inject({ effect: refusing, path: 'secret/data/proxied/one' });
  expect(await ask('GET', '/v1/secrets/proxied/one')).toBe(502);

  // A conflict, and what a person says of it.
  vault.put('local/both', { value: `${canary}-theirs` }, { customMetadata: { owner: 'team' } });
  expect(await put('local/both', `${canary}-ours`)).toBe(200);
  await again(local);
  await happens('conflict.detected');
  const conflicts = `/v1/federation/backends/${local}/conflicts`;
  expect(await ask('GET', conflicts)).toBe(200);
  expect(told.at(-1)).toContain('local/both');
  expect(await ask('POST', `${conflicts}/resolve`, { keep: 'remote', all: true })).toBe(202);
  await happens('conflict.resolved');
  expect(await ask('GET', '/v1/explain/local/both')).toBe(200);
  expect((await send('GET', '/v1/secrets/local/both')).text).toContain(`${canary}-theirs`);

  const places = {
    'the API’s log': api.output(),
    'the worker’s log': worker.output(),
    'the scheduler’s log': scheduler.output(),
    'other answers': told.join('\n'),
    Redis: await redisContents(),
    Postgres: await everyColumn(site.postgres.url),
    events: JSON.stringify(await site.events()),
  };
  expect(places.Postgres).toContain('bifrost/a');
  expect(await site.read((tx) => tx.selectFrom('idempotent_requests').selectAll().execute())).toHaveLength(1);
  for (const [place, content] of Object.entries(places))
    for (const form of formsOf(canary)) expect(content.includes(form), `${canary} as ${form} in ${place}`).toBe(false);
});

const happens = (type: string) =>
  vi.waitFor(async () => expect(await site.events(type)).toHaveLength(1), { timeout: 60_000, interval: 50 });

/** An API that logs all it can, and how to ask it. */
async function startVerboseApi(verbose: Record<string, string>) {
  const token = 'a-token-for-tests-that-is-long';
  const api = await site.start('api', { ...verbose, KEYFERRY_API_TOKEN: token, KEYFERRY_API_PORT: '0' });
  const address = await addressOf(api);
  const send = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const type = body && { 'content-type': 'application/json' };
    const answer = await fetch(`${address}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...type, ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  };
  return { api, send };
}

/** Channels, each with a rule that tells of everything. Returns their names, in order. */
async function addChannels(
  { postgres, environment }: Site,
  channels: { kind: ChannelKind; config: Record<string, unknown>; secret: Record<string, unknown> }[],
): Promise<string[]> {
  const store = openStore({ connectionString: postgres.url });
  const keyring = createKeyring(store, await loadMasterKey(store, { text: environment.KEYFERRY_MASTER_KEY ?? '' }));
  const [tenantId, now] = [defaultTenantId, new Date()];
  const keys = await keyring.ofTenant(tenantId);
  for (const { kind, config, secret } of channels)
    await store.inTenant(tenantId, async (tx) => {
      const settings = { name: kind, config, secret, state: 'active' as const };
      const { id } = await createChannel(tx, { tenantId, kind, settings, keys, now });
      const all = { event_types: [], backend_ids: [], paths: [], min_severity: 'info' as const };
      await createRule(tx, tenantId, { ...all, name: kind, channel_id: id, state: 'active' }, now);
    });
  await store.close();
  return channels.map(({ kind }) => kind).sort();
}

async function again(id: string) {
  await site.read((tx) => tx.updateTable('backends').set({ next_sync_at: new Date() }).where('id', '=', id).execute());
}

async function redisContents(): Promise<string> {
  const redis = site.redisClient;
  const parts: string[] = [];
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key);
    if (type === 'hash') parts.push(JSON.stringify(await redis.hgetall(key)));
    else if (type === 'stream') parts.push(JSON.stringify(await redis.xrange(key, '-', '+')));
    else if (type === 'list') parts.push(JSON.stringify(await redis.lrange(key, 0, -1)));
    else if (type === 'zset') parts.push(JSON.stringify(await redis.zrange(key, '0', '-1')));
    else if (type === 'set') parts.push(JSON.stringify(await redis.smembers(key)));
    else parts.push(String(await redis.get(key)));
    parts.push(key);
  }
  return parts.join('\n');
}
