import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createEgressClient, parseEgress } from '@keyferry/egress';
import { collectNotices, createDeliverer } from '@keyferry/events';
import { appendEvents, createBackend, defaultTenantId } from '@keyferry/store';
import { settingsFor } from '@keyferry/testing/support/backend-settings.ts';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

const channels = '/v1/notifications/channels';
const rules = '/v1/notifications/rules';
const deliveries = '/v1/notifications/deliveries';
const pathToken = 'T0000-canary-in-a-path';
const password = 'canary-of-the-mail-password';

let api: TestApi;
let backendId: string;
let url: string;
const cleanup = new AsyncDisposableStack();
const received: { headers: Record<string, string>; body: string }[] = [];
let status = 204;

beforeAll(async () => {
  api = await startTestApi({ allowedEgress: '127.0.0.1,mail.internal' });
  cleanup.defer(() => api.close());
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    received.push({ headers: request.headers as Record<string, string>, body: Buffer.concat(chunks).toString() });
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => void server.close().closeAllConnections());
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/${pathToken}`;
  const { store, keyring, now } = api.services;
  const keys = await keyring.ofTenant(defaultTenantId);
  const settings = settingsFor({ url: 'http://127.0.0.1:1', rootToken: 't' }, { name: 'team' });
  const input = { tenantId: defaultTenantId, settings, keys, now: now() };
  backendId = (await store.inTenant(defaultTenantId, (tx) => createBackend(tx, input))).id;
});
afterAll(() => cleanup.disposeAsync());
beforeEach(() => {
  received.length = 0;
  status = 204;
});

let names = 0;
const name = () => `name-${++names}`;
const webhook = (more: object = {}) => api.call('POST', channels, { kind: 'webhook', name: name(), url, ...more });
const mail = (more: object = {}) =>
  api.call('POST', channels, {
    kind: 'email',
    name: name(),
    host: 'mail.example.com',
    from: 'keyferry@example.com',
    to: ['ann@example.com'],
    ...more,
  });
const audited = async (target: string) =>
  (await api.query('SELECT action FROM keyferry.audit_log WHERE target = $1 ORDER BY batch, place', [target])).map(
    ({ action }) => action,
  );

/** Lets something happen, and sends what is told of it. */
async function happen(path: string): Promise<void> {
  const { store, keyring, log, now } = api.services;
  const data = { backend_id: backendId, backend: 'team', cycle_id: null, paths: [path], actor: 'ann' };
  await store.inTenant(defaultTenantId, (tx) => appendEvents(tx, backendId, [{ type: 'keys.revoked', data }], now()));
  await collectNotices({ store, now });
  const egress = createEgressClient({ policy: parseEgress('127.0.0.1') });
  const deliverer = createDeliverer({ store, keyring, egress, log, now });
  while ((await deliverer.begin()) > 0) await deliverer.settled();
  await egress.close();
}

describe('a channel', () => {
  test('is made, shown without its secrets, tested, changed and removed; each of it is audited', async () => {
    const made = await webhook();
    expect(made).toMatchObject({ status: 201, body: { kind: 'webhook', state: 'active' } });
    const { id, name: called, signing_secret: secret } = made.body;
    expect(made.headers.location).toBe(`${channels}/${id}`);
    const shown = await api.call('GET', `${channels}/${called}`);
    expect(shown.body).toMatchObject({ config: { address: new URL(url).origin }, failures: 0, last_error: null });
    expect((await api.call('POST', `${channels}/${id}/test`)).body).toMatchObject({ delivered: true, warning: null });
    const [{ headers, body } = { headers: {}, body: '' }] = received;
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({
      type: 'keyferry.test',
      data: { channel: called },
    });

    const renewed = await api.call('PATCH', `${channels}/${id}`, { new_signing_secret: true, state: 'paused' });
    expect(renewed.body).toMatchObject({ state: 'paused', signing_secret: expect.stringMatching(/^whsec_/) });
    expect(renewed.body.signing_secret).not.toBe(secret);
    expect((await api.call('DELETE', `${channels}/${called}`)).body).toEqual({ id, name: called });
    expect(await api.call('GET', `${channels}/${id}`)).toMatchObject({
      status: 404,
      body: { error: { code: 'channel_not_found' } },
    });
    expect(await audited(called)).toEqual(['channel.created', 'channel.tested', 'channel.updated', 'channel.removed']);
  });

  test('whose test fails says so', async () => {
    const { id, name: called } = (await webhook()).body;
    status = 403;
    expect(await api.call('POST', `${channels}/${id}/test`)).toMatchObject({
      status: 502,
      body: { error: { code: 'delivery_refused', message: `The channel "${called}" was answered with status 403.` } },
    });
  });

  test('shows no secret, wherever it is looked for', async () => {
    const signing_secret = `whsec_${Buffer.from('canary-of-the-signing-secret').toString('base64')}`;
    const made = [
      await webhook({ signing_secret }),
      await api.call('POST', channels, {
        kind: 'slack',
        name: name(),
        url: `https://hooks.slack.com/services/${pathToken}`,
      }),
      await mail({ username: 'keyferry', password }),
    ];
    for (const { status: code } of made) expect(code).toBe(201);
    status = 500;
    for (const { body } of made.slice(0, 1)) await api.call('POST', `${channels}/${body.id}/test`);
    await api.call('POST', rules, { name: name(), channel: made[0]?.body.name });
    await happen('prod/a');
    await api.call('POST', channels, { kind: 'email', name: 'bad', host: password, from: password, to: [password] });
    const answers = [
      made,
      await api.call('GET', channels),
      await api.call('GET', rules),
      await api.call('GET', deliveries),
      ...(await Promise.all(made.map(({ body }) => api.call('GET', `${channels}/${body.id}`)))),
    ];
    const tables = ['channels', 'notification_rules', 'notices', 'audit_log', 'outbox'];
    const rows = await Promise.all(tables.map((table) => api.query(`SELECT t::text FROM keyferry.${table} t`)));
    const places = {
      answers: JSON.stringify(answers),
      log: api.lines.join('\n'),
      tables: JSON.stringify(rows),
    };
    expect(places.log).toContain('delivery_unavailable');
    for (const [place, text] of Object.entries(places))
      for (const secret of [pathToken, password, signing_secret, 'canary-of-the-signing-secret'])
        for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64')])
          expect([place, text.includes(form)]).toEqual([place, false]);
  });

  test('of mail has usual ports, and keeps its password from going to another server', async () => {
    const { body } = await mail({ username: 'keyferry', password });
    expect(body.config).toEqual({
      host: 'mail.example.com',
      port: 587,
      security: 'starttls',
      username: 'keyferry',
      from: 'keyferry@example.com',
      to: ['ann@example.com'],
      ca_cert: null,
    });
    const change = (patch: object) => api.call('PATCH', `${channels}/${body.id}`, patch);
    expect(await change({ host: 'evil.example.com' })).toMatchObject({
      status: 400,
      body: { error: { code: 'config_invalid' } },
    });
    expect((await change({ host: 'new.example.com', password: 'other' })).body.config.host).toBe('new.example.com');
    expect((await change({ to: ['bob@example.com'] })).body.config.to).toEqual(['bob@example.com']);
    expect((await change({ username: null, host: 'evil.example.com' })).status).toBe(200);
  });

  test.each([
    ['http to a public host', { url: 'http://hooks.example.com/x' }, 'egress_refused'],
    ['a private address', { url: 'https://10.0.0.1/x' }, 'egress_refused'],
    ['a spelling of this machine', { url: 'https://0x7f.0.0.2/x' }, 'egress_refused'],
    ['the address of a cloud’s metadata', { url: 'http://169.254.169.254/latest' }, 'egress_refused'],
    ['no URL', { url: 'hooks.example.com' }, 'config_invalid'],
    ['another scheme', { url: 'file:///etc/passwd' }, 'config_invalid'],
    ['a user in the URL', { url: 'https://user:pass@hooks.example.com/' }, 'config_invalid'],
    ['a short secret', { signing_secret: 'whsec_AAAA' }, 'config_invalid'],
    ['a secret that is none', { signing_secret: 'secret' }, 'config_invalid'],
    ['a member of another kind', { host: 'mail.example.com' }, 'config_invalid'],
    ['a bad name', { name: 'a b' }, 'config_invalid'],
  ])('with %s is refused, and nothing is made', async (_what, more, code) => {
    const before = (await api.call('GET', channels)).body.items.length;
    const refused = await webhook(more);
    expect(refused).toMatchObject({ status: 400, body: { error: { code } } });
    expect((await api.call('GET', channels)).body.items).toHaveLength(before);
  });

  test.each([
    ['no sender', { from: undefined }],
    ['a sender with a header in it', { from: 'a@example.com\r\nBcc: eve@example.com' }],
    ['a sender with a name', { from: 'Keyferry <a@example.com>' }],
    ['two recipients in one', { to: ['a@example.com,eve@example.com'] }],
    ['no recipient', { to: [] }],
    ['a line’s end in the host', { host: 'mail.example.com\r\n' }],
    ['a line’s end in the user', { username: 'a\nb', password }],
    ['a username without a password', { username: 'a' }],
    ['a port that is none', { port: 70_000 }],
  ])('of mail with %s is refused', async (_what, more) => {
    expect(await mail(more)).toMatchObject({ status: 400, body: { error: { code: 'config_invalid' } } });
  });

  test('without encryption is for hosts that are allowed', async () => {
    expect(await mail({ security: 'none' })).toMatchObject({
      status: 400,
      body: { error: { code: 'egress_refused' } },
    });
    expect(await mail({ security: 'none', host: 'mail.internal' })).toMatchObject({
      status: 201,
      body: { config: { port: 25 } },
    });
  });

  test('has a name of its own, and a change that doesn’t fit its kind changes nothing', async () => {
    const { body } = await webhook();
    expect(await webhook({ name: body.name })).toMatchObject({
      status: 409,
      body: { error: { code: 'channel_exists' } },
    });
    const changed = await api.call('PATCH', `${channels}/${body.id}`, { host: 'mail.example.com', state: 'paused' });
    expect(changed).toMatchObject({ status: 400, body: { error: { code: 'config_invalid' } } });
    expect((await api.call('GET', `${channels}/${body.id}`)).body.state).toBe('active');
  });

  test('is not removed while a rule uses it', async () => {
    const { body } = await webhook();
    const rule = (await api.call('POST', rules, { name: name(), channel: body.id })).body;
    expect(await api.call('DELETE', `${channels}/${body.id}`)).toMatchObject({
      status: 409,
      body: { error: { code: 'channel_in_use', details: { rules: [rule.name] } } },
    });
  });
});

describe('a rule', () => {
  test('names channel and backends by id or name, is changed by what is given, and is removed', async () => {
    const channel = (await webhook()).body;
    const called = name();
    const made = await api.call('POST', rules, {
      name: called,
      channel: channel.name,
      backends: ['team', backendId],
      event_types: ['keys.expired'],
      paths: ['prod/**'],
      min_severity: 'warning',
    });
    expect(made).toMatchObject({
      status: 201,
      body: {
        channel: channel.name,
        channel_id: channel.id,
        backends: ['team'],
        backend_ids: [backendId],
        state: 'active',
      },
    });
    const changed = await api.call('PATCH', `${rules}/${called}`, { state: 'paused', backends: [] });
    expect(changed.body).toMatchObject({ state: 'paused', backends: [], paths: ['prod/**'], min_severity: 'warning' });
    expect((await api.call('GET', `${rules}/${made.body.id}`)).body).toEqual(changed.body);
    expect((await api.call('DELETE', `${rules}/${called}`)).status).toBe(200);
    expect((await api.call('GET', `${rules}/${called}`)).body.error.code).toBe('rule_not_found');
    expect(await audited(called)).toEqual(['rule.created', 'rule.updated', 'rule.removed']);
  });

  test.each([
    ['an unknown type of event', { event_types: ['keys.stolen'] }, 'config_invalid', 400],
    ['an unknown backend', { backends: ['nobody'] }, 'backend_not_found', 404],
    ['an unknown channel', { channel: 'nobody' }, 'channel_not_found', 404],
    ['a glob that is none', { paths: ['a/**b'] }, 'glob_invalid', 400],
    ['an unknown severity', { min_severity: 'fatal' }, 'config_invalid', 400],
  ])('with %s is refused, made and changed', async (_what, more, code, expected) => {
    const channel = (await webhook()).body.name;
    const refused = await api.call('POST', rules, { name: name(), channel, ...more });
    expect(refused).toMatchObject({ status: expected, body: { error: { code } } });
    const { id, updated_at } = (await api.call('POST', rules, { name: name(), channel })).body;
    expect((await api.call('PATCH', `${rules}/${id}`, more)).body.error.code).toBe(code);
    expect((await api.call('GET', `${rules}/${id}`)).body.updated_at).toBe(updated_at);
  });
});

describe('deliveries', () => {
  test('are listed, shown and replayed, one or all that failed', async () => {
    const channel = (await webhook()).body.name;
    const rule = name();
    await api.call('POST', rules, { name: rule, channel, event_types: ['keys.revoked'] });
    await happen('prod/a');
    await happen('prod/b');
    const list = (query = '') => api.call('GET', `${deliveries}?channel=${channel}${query}`);
    const first = (await list('&limit=1')).body;
    const second = (await list(`&limit=1&cursor=${first.next_cursor}`)).body;
    expect([first, second].flatMap(({ items }) => items)).toMatchObject([
      {
        rule,
        channel,
        state: 'delivered',
        severity: 'critical',
        backend: 'team',
        summary: 'keys.revoked 1',
        attempts: 1,
      },
      { rule, channel, state: 'delivered' },
    ]);
    expect(second.next_cursor).toBe(null);
    const { id } = first.items[0];
    expect((await api.call('GET', `${deliveries}/${id}`)).body.message.events[0].paths).toEqual(['prod/b']);
    const replayed = await api.call('POST', `${deliveries}/${id}/replay`);
    expect(replayed).toMatchObject({ status: 202, body: { id, state: 'pending' } });
    expect((await api.call('POST', `${deliveries}/${id}/replay`)).body.error.code).toBe('delivery_not_over');
    await api.query("UPDATE keyferry.notices SET state = 'failed', ended_at = now() WHERE channel_name = $1", [
      channel,
    ]);
    expect((await list('&state=failed')).body.items).toHaveLength(2);
    const all = await api.call('POST', `${deliveries}/replay`, { state: 'failed', channel });
    expect(all).toMatchObject({ status: 202, body: { replayed: 2 } });
    expect(await audited(id)).toEqual(['delivery.replayed']);
  });

  test('stay readable once rule and channel are gone, and can’t be replayed then', async () => {
    const channel = (await webhook()).body.name;
    const rule = name();
    await api.call('POST', rules, { name: rule, channel });
    await happen('prod/a');
    const { id } = (await api.call('GET', `${deliveries}?channel=${channel}`)).body.items[0];
    await api.call('DELETE', `${rules}/${rule}`);
    await api.call('DELETE', `${channels}/${channel}`);
    expect((await api.call('GET', `${deliveries}/${id}`)).body).toMatchObject({ rule, channel, state: 'delivered' });
    expect((await api.call('POST', `${deliveries}/${id}/replay`)).body.error.code).toBe('channel_not_found');
  });

  test.each([
    ['GET', `${deliveries}?cursor=bm8`, undefined, 'request_invalid'],
    ['GET', `${deliveries}?state=lost`, undefined, 'request_invalid'],
    ['GET', `${deliveries}?channel=nobody`, undefined, 'channel_not_found'],
    ['GET', `${deliveries}/0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69`, undefined, 'delivery_not_found'],
    ['POST', `${deliveries}/replay`, { state: 'delivered' }, 'config_invalid'],
    ['POST', `${deliveries}/replay`, { state: 'failed', channel: 'nobody' }, 'channel_not_found'],
  ] as const)('%s %s is answered with its code', async (method, path, body, code) => {
    expect((await api.call(method, path, body)).body.error.code).toBe(code);
  });
});

test('there are at most 50 channels', async () => {
  let answer = await webhook();
  for (let number = 0; number < 50 && answer.status === 201; number++) answer = await webhook();
  expect(answer).toMatchObject({ status: 409, body: { error: { code: 'limit_reached' } } });
});
