import { auditEntry, auditPage, type VerifyLine } from '@keyferry/contracts';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { sealAuditLogs } from '@keyferry/pipeline';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApi, type TestApi, token } from './support/test-api.ts';
import { startWay, type Way } from './support/way.ts';

const canary = 'canary-93ab-value';
const revokeToken = 'another-token-for-tests';
const wrongToken = 'canary-93ab-token';

let vault: VaultEmulator;
let api: TestApi;

beforeAll(async () => {
  vault = await startVaultEmulator();
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  kv.put('bifrost/one', { value: canary });
  kv.put('bifrost/two', { user: 'ops', password: canary });
  kv.put('proxied/one', { value: canary });
  api = await startTestApi({ revokeToken });
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  const main = { name: 'main', kind: 'hashicorp', config };
  const through = { name: 'through', kind: 'hashicorp', config, mode: 'proxy', sync_paths: ['proxied/*'] };
  for (const backend of [main, through]) await api.call('POST', '/v1/federation/backends', backend);
  await api.call('POST', '/v1/federation/backends/main/sync');
  await api.work();
});
afterAll(async () => {
  await api.close();
  await vault.close();
});

const rows = (requestId: unknown) =>
  api.query(
    `SELECT actor, action, target, outcome, address, details FROM keyferry.audit_log
     WHERE request_id = $1 ORDER BY batch, place`,
    [requestId],
  );
/** What the log has of one request. */
async function toldOf(...[method, path, body, by, headers]: Parameters<TestApi['call']>) {
  const answer = await api.call(method, path, body, by, headers);
  return { answer, told: await rows(answer.headers['x-request-id']) };
}
const read = { actor: 'api-token', action: 'secret.read', outcome: 'read', address: '127.0.0.1', details: {} };

describe('each read of a value leaves one row a path:', () => {
  test('of a synced and of a proxied secret, of one field, and of what did not change', async () => {
    for (const path of ['bifrost/one', 'proxied/one', 'bifrost/two'])
      expect((await toldOf('GET', `/v1/secrets/${path}`)).told).toEqual([{ ...read, target: path }]);
    const { answer, told } = await toldOf('GET', '/v1/secrets/bifrost/two?field=user');
    expect(told).toEqual([{ ...read, target: 'bifrost/two' }]);
    const headers = { 'if-none-match': String(answer.headers.etag) };
    const again = await toldOf('GET', '/v1/secrets/bifrost/two', undefined, token, headers);
    expect([again.answer.status, again.told]).toEqual([304, [{ ...read, target: 'bifrost/two' }]]);
  });

  test('of headers alone', async () => {
    const { headers } = await api.app.inject({
      method: 'HEAD',
      url: '/v1/secrets/bifrost/one',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(await rows(headers['x-request-id'])).toEqual([{ ...read, target: 'bifrost/one' }]);
  });

  test('of what is not there, with why', async () => {
    const failed = (code: string) => ({ ...read, outcome: 'failed', details: { code } });
    expect((await toldOf('GET', '/v1/secrets/bifrost/none')).told).toEqual([
      { ...failed('key_not_found'), target: 'bifrost/none' },
    ]);
    expect((await toldOf('GET', '/v1/secrets/bifrost/two?field=none')).told).toEqual([
      { ...failed('field_not_found'), target: 'bifrost/two' },
    ]);
  });

  test('of each path that references name, and none of texts that stand for themselves', async () => {
    const references = ['vault.bifrost/one', 'vault.bifrost/two#user', 'vault.bifrost/two#password', canary];
    const wrong = ['vault.bifrost/none', 'vault.', `vault.${canary}#a#b`];
    const { told } = await toldOf('POST', '/v1/secrets/resolve', { references: [...references, ...wrong] });
    expect(told.map(({ target, outcome, details }) => [target, outcome, details])).toEqual([
      ['bifrost/one', 'read', {}],
      ['bifrost/two', 'read', {}],
      ['bifrost/none', 'failed', { code: 'key_not_found' }],
      ['an invalid reference', 'failed', { code: 'reference_invalid' }],
    ]);
  });
});

test('names that are listed, and changes that are followed, are told', async () => {
  expect((await toldOf('GET', '/v1/secrets?prefix=bifrost/')).told).toEqual([
    { ...read, action: 'secrets.listed', target: 'bifrost/' },
  ]);
  const address = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const controller = new AbortController();
  const feed = await fetch(`${address}/v1/changes`, {
    headers: { authorization: `Bearer ${token}` },
    signal: controller.signal,
  });
  expect(await rows(feed.headers.get('x-request-id'))).toEqual([
    { ...read, action: 'changes.followed', target: 'all' },
  ]);
  controller.abort();
});

test.each([
  ['keys?prefix=bifrost/', 'keys.listed', 'bifrost/'],
  ['keys', 'keys.listed', ''],
  ['keys/bifrost/one', 'key.shown', 'bifrost/one'],
  ['explain/bifrost/one', 'key.explained', 'bifrost/one'],
  ['versions/bifrost/one', 'key.versions_listed', 'bifrost/one'],
  ['backups?path=bifrost/one', 'backups.listed', 'bifrost/one'],
])('what is shown of keys by /v1/%s is told', async (route, action, target) => {
  const { answer, told } = await toldOf('GET', `/v1/${route}`);
  expect([answer.status, told]).toEqual([200, [{ ...read, action, target }]]);
});

test('an act is told with the request it came of', async () => {
  const address = api.app.listeningOrigin;
  const answer = await fetch(`${address}/v1/audit/retention`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ retention: '365d' }),
  });
  expect(await rows(answer.headers.get('x-request-id'))).toMatchObject([
    { actor: 'api-token', action: 'audit.retention_changed', outcome: 'done', address: '127.0.0.1' },
  ]);
});

describe('refusals', () => {
  const refused = { action: 'request.refused', outcome: 'refused', address: '127.0.0.1' };

  test('are told, with whoever asked', async () => {
    const { answer, told } = await toldOf('GET', '/v1/secrets/bifrost/one', undefined, revokeToken);
    const details = { code: 'forbidden', method: 'GET', route: '/v1/secrets/*' };
    expect([answer.status, told]).toEqual([
      403,
      [{ ...refused, actor: 'revoke-token', target: 'bifrost/one', details }],
    ]);
    const unknown = await toldOf('DELETE', '/v1/federation/backends/main?token=x', undefined, wrongToken);
    expect([unknown.answer.status, unknown.told]).toEqual([
      401,
      [
        {
          ...refused,
          actor: 'unknown',
          target: '/v1/federation/backends/main',
          details: { code: 'unauthorized', method: 'DELETE', route: '/v1/federation/backends/:id' },
        },
      ],
    ]);
  });

  test('of one address are told one by one only so often, the others as a number', async () => {
    const asked = 200;
    const ask = () =>
      api.app.inject({ url: '/v1/keys/flood', remoteAddress: '192.0.2.9', headers: { authorization: 'Bearer no' } });
    await Promise.all(Array.from({ length: asked }, ask));
    const flood = async () => {
      const [row] = await api.query(
        `SELECT count(*) AS rows, sum(coalesce((details ->> 'requests')::int, 1)) AS requests
         FROM keyferry.audit_log WHERE address = '192.0.2.9'`,
      );
      return { rows: Number(row?.rows), requests: Number(row?.requests) };
    };
    await vi.waitFor(async () => expect((await flood()).requests).toBe(asked), 10_000);
    expect((await flood()).rows).toBeLessThan(asked / 2);
  });
});

describe('the log', () => {
  test('is listed by what is asked, a page at a time, and that is told too', async () => {
    const page = auditPage.parse(
      (await api.call('GET', '/v1/audit?path=bifrost/one&action=secret.read&outcome=read&limit=1')).body,
    );
    expect(page.items).toMatchObject([{ actor: 'api-token', action: 'secret.read', target: 'bifrost/one' }]);
    const next = await api.call(
      'GET',
      `/v1/audit?path=bifrost/one&action=secret.read&outcome=read&limit=1&cursor=${page.next_cursor}`,
    );
    expect(next.body.items).toHaveLength(1);
    expect(next.body.items[0]).not.toEqual(page.items[0]);
    const { told } = await toldOf('GET', '/v1/audit?prefix=bifrost/&actor=api-token&since=2026-01-01T00:00:00Z');
    expect(told).toEqual([{ ...read, action: 'audit.listed', target: 'audit log' }]);
  });

  test('is exported line by line, the oldest first, and that is told before the first', async () => {
    const { headers, payload } = await api.app.inject({
      url: '/v1/audit/export?action=secret.read',
      headers: { authorization: `Bearer ${token}` },
    });
    const exported = payload
      .split('\n')
      .slice(0, -1)
      .map((line) => auditEntry.parse(JSON.parse(line)));
    const [kept] = await api.query("SELECT count(*) FROM keyferry.audit_log WHERE action = 'secret.read'");
    expect(headers['content-type']).toBe('application/x-ndjson');
    expect(exported).toHaveLength(Number(kept?.count));
    expect(exported.map(({ batch }) => batch)).toEqual(exported.map(({ batch }) => batch).sort((a, b) => a - b));
    expect(await rows(headers['x-request-id'])).toMatchObject([{ action: 'audit.exported' }]);
  });

  test('is verified, line by line', async () => {
    await sealAuditLogs(api.services);
    const verify = async (body?: object) => {
      const { payload } = await api.app.inject({
        method: 'POST',
        url: '/v1/audit/verify',
        headers: { authorization: `Bearer ${token}` },
        ...(body && { payload: body }),
      });
      const last = JSON.parse(payload.trim().split('\n').at(-1) ?? '') as VerifyLine;
      return 'verified' in last ? last.verified : null;
    };
    const whole = await verify();
    expect(whole).toMatchObject({ broken: null, unsealed: { batches: 1, rows: 1 } });
    expect(await verify({ anchors: [whole?.head] })).toMatchObject({ broken: null, anchors: 1 });
    expect(await verify({ anchors: [{ number: 1, hash: '0'.repeat(64) }] })).toMatchObject({ broken: { number: 1 } });
  });

  test('is kept for as long as is set, which is told', async () => {
    expect((await api.call('GET', '/v1/audit/retention')).body).toEqual({ retention: '365d' });
    const { answer, told } = await toldOf('PATCH', '/v1/audit/retention', { retention: '30d' });
    expect(answer.body).toEqual({ retention: '30d' });
    expect(told).toMatchObject([{ action: 'audit.retention_changed', details: { from: '365d', to: '30d' } }]);
    const refused = await api.call('PATCH', '/v1/audit/retention', { retention: '1h' });
    expect([refused.status, (await api.call('GET', '/v1/audit/retention')).body.retention]).toEqual([400, '30d']);
  });

  test('is not for those who may not read it', async () => {
    const routes = ['/v1/audit', '/v1/audit/export', '/v1/audit/retention'];
    for (const route of routes) expect((await api.call('GET', route, undefined, revokeToken)).status, route).toBe(403);
    expect((await api.call('POST', '/v1/audit/verify', {}, revokeToken)).status).toBe(403);
  });

  test('has no value and no token in it', async () => {
    const all = JSON.stringify(await api.query('SELECT * FROM keyferry.audit_log'));
    for (const secret of [canary, wrongToken, token, revokeToken]) expect(all.includes(secret), secret).toBe(false);
  });
});

describe('while Postgres is away', () => {
  const ways: Way[] = [];
  const way = async (url: string) => {
    const made = await startWay(url);
    ways.push(made);
    return made.url;
  };

  test.each([
    [true, [503, 'audit_unavailable', false]],
    [false, [200, undefined, true]],
  ])('a value in memory is answered only where reads need no row (required: %s)', async (auditReads, expected) => {
    const peer = await startTestApi({ beside: api, auditReads, through: { database: way }, reader: { pollMs: null } });
    try {
      const get = () => peer.call('GET', '/v1/secrets/bifrost/one');
      expect((await get()).status).toBe(200);
      await ways.at(-1)?.cut();
      const { status, body } = await get();
      expect([status, body.error?.code, JSON.stringify(body).includes(canary)]).toEqual(expected);
    } finally {
      await peer.close();
    }
  });
});
