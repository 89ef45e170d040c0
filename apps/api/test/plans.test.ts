import { errorAnswer, planEnd, planLine } from '@keyferry/contracts';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { plansAtATime } from '../src/limits.ts';
import { startTestApi, type TestApi, token } from './support/test-api.ts';

/** Plans, over a real connection: they are streamed. */

const canary = 'canary-8d21-value';

let vault: VaultEmulator;
let api: TestApi;
let url: string;

beforeEach(async () => {
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  secrets().seed(3, (index) => ({ path: `bifrost/k${index}`, data: { value: canary } }));
  api = await startTestApi();
  const config = { address: vault.url, auth: { method: 'token', token: vault.rootToken } };
  await api.call('POST', '/v1/federation/backends', { name: 'main', kind: 'hashicorp', config });
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(async () => {
  await api.close();
  await vault.close();
});

const secrets = () => vault.kv('secret');

const ask = (signal: AbortSignal | null = null, name = 'main') =>
  fetch(`${url}/v1/federation/backends/${name}/plan`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    signal,
  });

async function linesOf(response: Response): Promise<unknown[]> {
  const text = await response.text();
  expect(text.endsWith('\n')).toBe(true);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => planLine.parse(JSON.parse(line)));
}

const plansAudited = () => api.query("SELECT actor, target FROM keyferry.audit_log WHERE action = 'sync.planned'");

test('a plan is a line for each change and a summary, has no value in it, and is audited', async () => {
  const response = await ask();
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  const lines = await linesOf(response);
  expect(lines).toHaveLength(4);
  expect(lines[0]).toEqual({
    change: 'add',
    path: expect.stringMatching(/^bifrost\/k\d$/),
    remote_path: expect.stringMatching(/^bifrost\/k\d$/),
    reason: 'It is new in the vault.',
    code: null,
    class: null,
    to_version: 1,
  });
  expect(planEnd.parse(lines[3]).summary).toMatchObject({
    backend: 'main',
    counts: { discovered: 3, added: 3 },
    would_hold: false,
    vault_calls: { read: 3 },
  });
  expect(JSON.stringify(lines)).not.toContain(canary);
  expect(await plansAudited()).toEqual([{ actor: 'api-token', target: 'main' }]);
  expect(await api.query('SELECT FROM keyferry.cycles')).toEqual([]);
});

test('what fails before the first line is answered as by any route, and takes no place', async () => {
  for (let round = 0; round <= plansAtATime; round++) {
    expect((await ask(null, 'nobody')).status).toBe(404);
    vault.seal();
    const refused = await ask();
    expect(refused.status).toBe(502);
    expect(errorAnswer.parse(await refused.json()).error.code).toBe('vault_sealed');
    vault.unseal();
  }
  expect((await linesOf(await ask())).at(-1)).toHaveProperty('summary');
});

test('what fails later is the last line', async () => {
  await linesOf(await ask());
  await api.call('POST', '/v1/federation/backends/main/sync');
  await api.work();
  secrets().put('bifrost/new', { value: canary });
  secrets().deleteMetadata('bifrost/k0');
  vault.faults.inject({
    effect: { kind: 'status', status: 503, body: { errors: [canary] } },
    path: 'sys/internal/*',
    skip: 1,
  });
  const response = await ask();
  expect(response.status).toBe(200);
  const lines = await linesOf(response);
  expect(lines).toMatchObject([{ change: 'add', path: 'bifrost/new' }, { error: { code: 'vault_unavailable' } }]);
  expect(errorAnswer.parse(lines[1]).error.request_id).toBe(response.headers.get('x-request-id'));
  expect(JSON.stringify(lines)).not.toContain(canary);
});

test('only so many plans are made at a time; a client that goes away makes room, and stops the calls', async () => {
  const hanging = vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/data/*' });
  const clients = Array.from({ length: plansAtATime }, () => new AbortController());
  const asked = clients.map(({ signal }) => ask(signal).catch(() => null));
  await vi.waitFor(async () => expect(await plansAudited()).toHaveLength(plansAtATime));
  const refused = await ask();
  expect(refused.status).toBe(429);
  expect(errorAnswer.parse(await refused.json()).error.code).toBe('plan_busy');

  await vi.waitFor(() => expect(hanging.hits).toBe(3 * plansAtATime));
  for (const client of clients) client.abort();
  await Promise.all(asked);
  hanging.remove();
  const answered = await vi.waitFor(async () => {
    const response = await ask();
    expect(response.status).toBe(200);
    return response;
  });
  expect(await linesOf(answered)).toHaveLength(4);
  // Calls that were given up are not made again.
  const reads = vault.requests.all.filter(({ path, status }) => path.startsWith('secret/data/') && status === 200);
  expect(reads).toHaveLength(3);
});

test('a plan is made no further than its client takes it', { timeout: 60_000 }, async () => {
  // Some twenty megabytes of lines, of which sockets and streams hold a few between them.
  const folder = `bifrost/${'x'.repeat(450)}/${'y'.repeat(450)}`;
  const count = 12_000;
  secrets().seed(count, (index) => ({ path: `${folder}/k${index}`, data: { value: canary } }));
  const client = new AbortController();
  const response = await ask(client.signal);
  expect(response.status).toBe(200);
  const reads = () => vault.requests.all.filter(({ path }) => path.startsWith('secret/data/')).length;
  let last = -1;
  let still = 0;
  await vi.waitUntil(
    () => {
      still = reads() === last ? still + 1 : 0;
      last = reads();
      return still === 15;
    },
    { timeout: 50_000, interval: 100 },
  );
  expect(last).toBeGreaterThan(0);
  expect(last).toBeLessThan(count);
  client.abort();
});

test('an API that stops says so to those who wait for a plan', async () => {
  const hanging = vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/data/*' });
  const asked = ask();
  await vi.waitFor(() => expect(hanging.hits).toBeGreaterThan(0));
  const closing = api.app.close();
  const response = await asked;
  expect(response.status).toBe(503);
  expect(errorAnswer.parse(await response.json()).error.code).toBe('api_unavailable');
  await closing;
});
