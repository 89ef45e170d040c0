import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { document, type Ended, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

const cleanup = new AsyncDisposableStack();
const secret = 'T0000-canary-in-a-path';
const bodies: string[] = [];
let status = 200;
let vault: VaultEmulator;
let env: NodeJS.ProcessEnv;
let url: string;

beforeAll(async () => {
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    bodies.push(Buffer.concat(chunks).toString('utf8'));
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => void server.close().closeAllConnections());
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${secret}`;
  const settings = { KEYFERRY_ALLOWED_EGRESS: '127.0.0.1', KEYFERRY_SCHEDULER_POLL_MS: '50' };
  ({ env } = await startServices(cleanup, settings, ['api', 'worker', 'scheduler']));
});
afterAll(() => cleanup.disposeAsync());
beforeEach(() => {
  bodies.length = 0;
  status = 200;
});

const cli = (...args: string[]) => keyferry(args, env);
const all: Ended[] = [];
async function ok(ended: Promise<Ended>): Promise<string> {
  const done = await ended;
  expect(done).toMatchObject({ code: 0 });
  all.push(done);
  return done.stdout;
}

test('a channel is added with its URL from standard input, tried, told of a cycle, and what it was told is shown and replayed', {
  timeout: 60_000,
}, async () => {
  expect(await ok(keyferry(['channel', 'add', 'chat', '--kind', 'slack', '--url', '-'], env, `${url}\n`))).toMatch(
    /address +http:\/\/127\.0\.0\.1:\d+\n/,
  );
  expect(await ok(cli('channel', 'test', 'chat'))).toContain('The receiver took the message');
  expect(bodies[0]).toContain('test of the channel chat');
  expect(await ok(cli('rule', 'add', 'all', '--channel', 'chat', '--path', 'bifrost/**'))).toMatch(
    /all +chat +active +all +all +all +bifrost\/\*\*/,
  );

  vault.kv('secret').put('bifrost/openai', { value: 'not-a-key' });
  await ok(cli('backend', 'add', 'team', '--address', vault.url, '--token', vault.rootToken));
  await ok(cli('sync', 'team', '--wait'));
  await vi.waitFor(() => expect(bodies).toHaveLength(2), { timeout: 30_000, interval: 50 });
  expect(JSON.parse(bodies[1] ?? '').text).toContain('Keyferry info: team: keys.created 1\n');

  const { items } = await vi.waitFor(async () => {
    const found = document(await cli('deliveries', 'list', '--state', 'delivered', '--json'));
    expect(found.items).toHaveLength(1);
    return found;
  });
  const [{ id }] = items;
  expect(await ok(cli('deliveries', 'list'))).toMatch(/chat +all +delivered .+ team +keys.created 1/);
  expect(await ok(cli('deliveries', 'show', id))).toContain('bifrost/openai');
  expect(await ok(cli('deliveries', 'replay', id))).toContain('It is sent again');
  await vi.waitFor(() => expect(bodies).toHaveLength(3), { timeout: 30_000, interval: 50 });
  expect(await ok(cli('deliveries', 'replay', '--failed', '--channel', 'chat', '--yes'))).toContain('0 sent again');
  expect(await ok(cli('channel', 'list'))).toMatch(/chat +slack +active/);
  expect(await ok(cli('channel', 'show', 'chat'))).toMatch(/failures in a row +0/);
  expect(JSON.stringify(all)).not.toContain(secret);
});

test('rules and channels are changed by what is named, and removed only if that is said', async () => {
  const made = document(await cli('channel', 'add', 'ops', '--url', url, '--json'));
  expect(made.signing_secret).toMatch(/^whsec_/);
  expect(document(await cli('channel', 'show', 'ops', '--json'))).not.toHaveProperty('signing_secret');
  await ok(cli('rule', 'add', 'grave', '--channel', 'ops', '--min-severity', 'critical', '--event', 'keys.revoked'));
  expect(
    document(await cli('rule', 'update', 'grave', '--all-events', '--state', 'paused', '--rename', 'quiet', '--json')),
  ).toMatchObject({ name: 'quiet', event_types: [], state: 'paused', min_severity: 'critical' });
  expect(document(await cli('rule', 'list', '--json')).items.map(({ name }: { name: string }) => name)).toContain(
    'quiet',
  );
  expect(document(await cli('channel', 'update', 'ops', '--state', 'paused', '--json'))).toMatchObject({
    state: 'paused',
  });

  expect(await cli('channel', 'remove', 'ops')).toMatchObject({ code: 2, stdout: '' });
  const refused = await cli('channel', 'remove', 'ops', '--yes');
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toContain('(channel_in_use)');
  expect(await cli('rule', 'remove', 'quiet')).toMatchObject({ code: 2, stdout: '' });
  await ok(cli('rule', 'remove', 'quiet', '--yes'));
  await ok(cli('channel', 'remove', 'ops', '--yes'));
});

test('mail takes its password from standard input', async () => {
  const args = ['channel', 'add', 'mail', '--kind', 'email', '--host', 'mail.example.com', '--from', 'k@example.com'];
  const login = ['--to', 'ann@example.com', '--to', 'bob@example.com', '--username', 'k', '--password', '-'];
  const shown = await ok(keyferry([...args, ...login], env, `${secret}\n`));
  expect(shown).toMatch(/port +587/);
  expect(shown).toMatch(/to +ann@example.com,bob@example.com/);
  expect(shown).not.toContain(secret);
});

describe('what goes wrong', () => {
  test('a test that fails has its reason, and exit code 1', async () => {
    status = 404;
    await ok(cli('channel', 'add', 'gone', '--url', url));
    const failed = await cli('channel', 'test', 'gone');
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(/^error: The channel "gone" was answered with status 404\. \(delivery_refused\)\n/);
  });

  test.each([
    [['channel', 'add', 'x', '--url', 'https://10.0.0.1/'], 2, 'egress_refused'],
    [['channel', 'add', 'x', '--url', 'http://hooks.example.com/'], 2, 'egress_refused'],
    [['channel', 'add', 'x', '--url', 'nonsense'], 2, 'config_invalid'],
    [
      ['channel', 'add', 'x', '--kind', 'email', '--host', 'mail.example.com', '--to', 'a@example.com'],
      2,
      'config_invalid',
    ],
    [['channel', 'update', 'x'], 2, 'usage_invalid'],
    [['channel', 'test', 'nobody'], 1, 'channel_not_found'],
    [['rule', 'add', 'x', '--channel', 'nobody'], 1, 'channel_not_found'],
    [['rule', 'update', 'x'], 2, 'usage_invalid'],
    [['rule', 'remove', 'nobody', '--yes'], 1, 'rule_not_found'],
    [['deliveries', 'show', '0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69'], 1, 'delivery_not_found'],
    [['deliveries', 'replay'], 2, 'usage_invalid'],
    [['deliveries', 'replay', 'x', '--failed'], 2, 'usage_invalid'],
    [['deliveries', 'replay', '--failed'], 2, 'usage_invalid'],
  ])('%j ends with exit code %i and says %s', async (args, exit, code) => {
    const refused = await cli(...args, '--json');
    expect(refused).toMatchObject({ code: exit, stdout: '' });
    expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code, action: expect.stringMatching(/./) } });
  });
});
