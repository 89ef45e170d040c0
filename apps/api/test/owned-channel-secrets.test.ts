import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createEgressClient, parseEgress } from '@keyferry/egress';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { collectNotices, createDeliverer } from '@keyferry/events';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestApi, type TestApi, token } from './support/test-api.ts';

/** Addresses and credentials of channels that are kept in a vault which Keyferry may write to. */

const channels = '/v1/notifications/channels';

let api: TestApi;
let vault: VaultEmulator;
let cleanup: AsyncDisposableStack;
let url: string;
const received: { headers: Record<string, string>; body: string; path: string }[] = [];

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  api = await startTestApi({ allowedEgress: '127.0.0.1' });
  cleanup.defer(() => api.close());
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  received.length = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = request.headers as Record<string, string>;
    received.push({ headers, body: Buffer.concat(chunks).toString(), path: request.url ?? '' });
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => void server.close().closeAllConnections());
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/secret-path`;
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  await api.call('POST', '/v1/federation/backends', {
    name: 'keeper',
    kind: 'hashicorp',
    config,
    prefix: 'kept',
    access_mode: 'read_and_write',
    writes: 'write_through',
  });
});
afterEach(() => cleanup.disposeAsync());

const make = () => api.call('POST', channels, { kind: 'webhook', name: 'hook', url });
const inVault = (id: string, member: string) => vault.kv('secret').get(`kept/channels/${id}/${member}`);
const states = async () =>
  (await api.query('SELECT local_path, state FROM keyferry.keys ORDER BY local_path')).map(({ state }) => state);

test('a channel’s address and secret are kept in the vault, and messages are sent by them', async () => {
  const made = await make();
  expect(made.status).toBe(201);
  const { id, signing_secret: secret } = made.body;
  expect(inVault(id, 'url')?.data).toBe(JSON.stringify({ value: url }));
  expect(inVault(id, 'signing-secret')?.data).toBe(JSON.stringify({ value: secret }));
  expect((await api.call('POST', `${channels}/hook/test`)).body).toMatchObject({ delivered: true });

  await api.call('POST', '/v1/notifications/rules', { name: 'all', channel: 'hook', min_severity: 'info' });
  await api.app.inject({
    method: 'PUT',
    url: '/v1/secrets/kept/told',
    headers: { authorization: `Bearer ${token}` },
    payload: { value: 'x' },
  });
  const { store, keyring, log, now } = api.services;
  const later = () => new Date(now().getTime() + 120_000);
  await collectNotices({ store, now });
  await collectNotices({ store, now: later });
  const egress = createEgressClient({ policy: parseEgress('127.0.0.1') });
  const deliverer = createDeliverer({ store, keyring, egress, log, now: later });
  while ((await deliverer.begin()) > 0) await deliverer.settled();
  await egress.close();
  expect(received.length).toBeGreaterThan(1);
  for (const { path } of received) expect(path).toBe('/hooks/secret-path');
  const [first] = received;
  expect(new Webhook(secret).verify(first?.body ?? '', first?.headers ?? {})).toMatchObject({ type: 'keyferry.test' });
});

test('what is changed is written there, what isn’t stays, and all goes with the channel', async () => {
  const { id } = (await make()).body;
  const changed = await api.call('PATCH', `${channels}/hook`, { new_signing_secret: true });
  expect(inVault(id, 'signing-secret')).toMatchObject({
    version: 2,
    data: JSON.stringify({ value: changed.body.signing_secret }),
  });
  expect(inVault(id, 'url')).toMatchObject({ version: 1 });
  // Nothing of the secret changes: the vault isn't asked.
  const asked = vault.requests.total;
  expect((await api.call('PATCH', `${channels}/hook`, { state: 'paused' })).status).toBe(200);
  expect(vault.requests.total).toBe(asked);
  expect((await api.call('DELETE', '/v1/federation/backends/keeper?archive_keys=true')).body).toMatchObject({
    error: { code: 'credentials_in_use' },
  });
  const refused = await api.call('DELETE', `/v1/secrets/kept/channels/${id}/url`);
  expect(refused).toMatchObject({ status: 409, body: { error: { code: 'credentials_in_use' } } });

  expect((await api.call('DELETE', `${channels}/hook`)).status).toBe(200);
  expect([inVault(id, 'url')?.deleted, inVault(id, 'signing-secret')?.deleted]).toEqual([true, true]);
  expect(await states()).toEqual(['archived', 'archived']);
});

test('a vault that refuses them leaves no channel', async () => {
  vault.faults.inject({
    effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
    method: 'POST',
    path: 'secret/data/*',
  });
  expect(await make()).toMatchObject({ status: 502, body: { error: { code: 'vault_forbidden' } } });
  expect((await api.call('GET', channels)).body.items).toEqual([]);
  expect(await states()).toEqual([]);
});

test('a channel that can’t be made after all leaves nothing in the vault', async () => {
  const { id } = (await make()).body;
  expect(await make()).toMatchObject({ status: 409, body: { error: { code: 'channel_exists' } } });
  expect((await states()).filter((state) => state === 'active')).toHaveLength(2);
  expect(inVault(id, 'url')).toMatchObject({ deleted: false });
});
