import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startBench } from './harness.ts';
import { failureOf, patient, readOne } from './support.ts';

const pem = (name: string) => readFileSync(new URL(`./fixtures/${name}.pem`, import.meta.url), 'utf8');

/** A server that answers as told and keeps the headers it saw. */
async function listener(answer: (response: ServerResponse, path: string) => void) {
  const seen: { path: string; headers: IncomingHttpHeaders }[] = [];
  const server = createServer((request, response) => {
    seen.push({ path: request.url ?? '', headers: request.headers });
    answer(response, request.url ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const secret = JSON.stringify({
  data: { data: { value: 'x' }, metadata: { version: 1, created_time: '', deletion_time: '', destroyed: false } },
});

test('nothing of the operator’s environment reaches a tenant’s vault', async () => {
  const operators = await listener((response) => response.end('{}'));
  vi.stubEnv('VAULT_ADDR', operators.url);
  vi.stubEnv('VAULT_TOKEN', 'hvs.operator-token');
  vi.stubEnv('VAULT_NAMESPACE', 'operators');
  vi.stubEnv('VAULT_PREFIX', '/prefix');
  vi.stubEnv('VAULT_SKIP_VERIFY', 'true');
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  onTestFinished(() => void vi.unstubAllEnvs());
  const tenants = await listener((response) => response.end(secret));
  const { connect } = await startBench();
  const backend = await connect({
    address: tenants.url,
    kv_version: 2,
    auth: { method: 'approle', role_id: 'r', secret_id: 's' },
  });
  await failureOf(backend.probe(patient));
  await failureOf(readOne(backend, 'a'));
  expect(operators.seen).toEqual([]);
  expect(tenants.seen.map(({ path }) => path)).toEqual([
    '/v1/sys/health?standbyok=true&perfstandbyok=true',
    '/v1/auth/approle/login',
  ]);
  for (const { headers } of tenants.seen) {
    expect(headers).not.toHaveProperty('x-vault-token');
    expect(headers).not.toHaveProperty('x-vault-namespace');
  }
  const encrypted = await startBench({ tls: { cert: pem('server'), key: pem('server-key') } });
  expect(await failureOf((await encrypted.connect()).probe(patient))).toMatchObject({ code: 'vault_unavailable' });
});

test('an address with a path, as behind a proxy, is kept', async () => {
  const server = await listener((response) => response.end(secret));
  const { connect } = await startBench();
  const backend = await connect({ address: `${server.url}/vault/`, kv_version: 2, namespace: '/team/a/' });
  await readOne(backend, 'a b');
  expect(server.seen.at(-1)).toMatchObject({
    path: '/vault/v1/secret/data/a%20b',
    headers: { 'x-vault-namespace': 'team/a' },
  });
});

test('a redirect to another host is not followed, nor told the token', async () => {
  const other = await listener((response) => response.end(secret));
  const server = await listener((response, path) => response.writeHead(307, { location: `${other.url}${path}` }).end());
  const { connect } = await startBench();
  const failure = await failureOf(readOne(await connect({ address: server.url, kv_version: 2 }), 'a'));
  expect(failure).toMatchObject({ failureClass: 'unavailable' });
  expect(other.seen).toEqual([]);
});

test('a redirect to the same host is followed once', async () => {
  const server = await listener((response, path) => {
    if (path.includes('/data/moved')) response.writeHead(307, { location: '/v1/second/data/a' }).end('{}');
    else if (path.includes('/data/loop')) response.writeHead(307, { location: path }).end();
    else response.end(secret);
  });
  const { connect } = await startBench();
  const backend = await connect({ address: server.url, kv_version: 2 });
  expect((await readOne(backend, 'moved')).version).toBe('1');
  expect(await failureOf(readOne(backend, 'loop'))).toMatchObject({ failureClass: 'unavailable' });
  expect(server.seen.filter(({ path }) => path.includes('/data/loop'))).toHaveLength(2);
});

test('a certificate of an own authority is accepted, and one of an unknown authority refused with the remedy', async () => {
  const { vault, connect } = await startBench({ tls: { cert: pem('server'), key: pem('server-key') } });
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const unknown = await failureOf((await connect()).probe(patient));
  expect(unknown).toMatchObject({ failureClass: 'unavailable' });
  expect(unknown.message).toContain('tls.ca_cert');

  const otherName = await failureOf((await connect({ tls: { ca_cert: pem('authority') } })).probe(patient));
  expect(otherName.message).toContain('tls.server_name');

  const trusted = await connect({ tls: { ca_cert: pem('authority'), server_name: 'vault.test' } });
  expect(await trusted.probe(patient)).toMatchObject({ container: 'present' });
});

test('a client certificate is shown to a vault that asks for one', async () => {
  const { vault, connect } = await startBench({
    tls: { cert: pem('server'), key: pem('server-key'), clientCa: pem('authority') },
  });
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const tls = { ca_cert: pem('authority'), server_name: 'vault.test' };
  const auth = { method: 'token', token: vault.rootToken };
  expect(await failureOf((await connect({ tls })).probe(patient))).toMatchObject({ failureClass: 'unavailable' });
  const shown = await connect({ tls, auth: { ...auth, client_cert: pem('client'), client_key: pem('client-key') } });
  expect(await shown.probe(patient)).toMatchObject({ container: 'present' });
});

test('a token that ends in a newline is sent without it', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const backend = await connect({ auth: { method: 'token', token: `${vault.rootToken}\r\n` } });
  expect(await backend.probe(patient)).toMatchObject({ container: 'present' });
});

test('a token of the vault’s that no header can carry is no broken connection', async () => {
  const server = await listener((response) =>
    response.end(JSON.stringify({ auth: { client_token: 'a\nb', lease_duration: 0, renewable: false } })),
  );
  const { connect } = await startBench();
  const auth = { method: 'approle', role_id: 'r', secret_id: 's' };
  const failure = await failureOf(readOne(await connect({ address: server.url, kv_version: 2, auth }), 'a'));
  expect(failure).toMatchObject({ code: 'config_invalid', failureClass: 'invalid' });
  expect(failure.message).toContain('token');
});

test('https spoken to a plain listener is said to be that', async () => {
  const { vault, connect } = await startBench();
  const failure = await failureOf((await connect({ address: vault.url.replace('http:', 'https:') })).probe(patient));
  expect(failure).toMatchObject({ failureClass: 'unavailable' });
  expect(failure.message).toContain('TLS');
});

test.for(['reset', 'reset_in_body', 'truncate', 'garbage', 'cut'] as const)(
  'an error after %s shows neither token nor answer',
  async (kind) => {
    const { vault, connect } = await startBench();
    vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'canary-value' });
    const backend = await connect({ kv_version: 2 });
    vault.faults.inject({
      effect: kind === 'garbage' ? { kind, body: 'canary-body' } : { kind },
      path: 'secret/data/a',
    });
    const failure = await failureOf(readOne(backend, 'a'));
    const shown = inspect(failure, { depth: 10 }) + JSON.stringify(failure);
    expect(shown).not.toContain(vault.rootToken);
    expect(shown).not.toContain('canary');
  },
);
