import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { hashicorp } from '../src/hashicorp/index.ts';
import { readOnly, startBench } from './harness.ts';
import { failureOf, patient } from './support.ts';

async function benchWithWrapped() {
  const bench = await startBench();
  const { vault } = bench;
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  vault.policies.write('reader', readOnly());
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('sync', { policies: ['reader'] });
  const wrapped = vault.auth.secretId('sync', { wrapTtlSeconds: 300 });
  const authOf = (wrapped_secret_id = wrapped) => ({ method: 'approle', role_id, wrapped_secret_id });
  return { ...bench, role_id, wrapped, authOf };
}

test('a wrapped secret_id is exchanged for what any number of connections log in with', async () => {
  const { vault, calls, role_id, authOf, exchange, connect } = await benchWithWrapped();
  const change = await exchange({ auth: authOf() });
  expect(change).toEqual({ secret_id: expect.stringMatching(/^[0-9a-f-]{36}$/), wrapped_secret_id: null });
  expect([calls, vault.requests.total]).toEqual([{ login: 1 }, 1]);
  for (const _ of [1, 2]) {
    const backend = await connect({ kv_version: 2, auth: { method: 'approle', role_id, secret_id: change.secret_id } });
    expect(await backend.confirm('a', patient)).toBe('present');
  }
});

test.for([
  ['was used', (wrapped: string) => wrapped],
  ['is none', () => 'hvs.canary-of-nobody'],
] as const)('a wrapping token that %s is refused, and nothing repeats it', async ([, tokenOf]) => {
  const { wrapped, authOf, exchange } = await benchWithWrapped();
  await exchange({ auth: authOf() });
  const token = tokenOf(wrapped);
  const failure = await failureOf(exchange({ auth: authOf(token) }));
  expect(failure).toMatchObject({
    code: 'vault_unauthenticated',
    message: 'Could not unwrap wrapped_secret_id: it was used before or has expired; issue a new one.',
  });
  expect(JSON.stringify(failure) + failure.message + failure.stack).not.toContain(token);
});

test('a wrapping token that has expired is refused', async () => {
  const { clock, authOf, exchange } = await benchWithWrapped();
  clock.advance(301);
  expect((await failureOf(exchange({ auth: authOf() }))).message).toContain('issue a new one');
});

test('what is wrapped has to be a secret_id', async () => {
  const { vault, authOf, exchange } = await benchWithWrapped();
  const answer = await fetch(`${vault.url}/v1/sys/wrapping/wrap`, {
    method: 'POST',
    headers: { 'X-Vault-Token': vault.rootToken, 'X-Vault-Wrap-TTL': '60s' },
    body: JSON.stringify({ password: 'canary' }),
  });
  const { wrap_info } = (await answer.json()) as { wrap_info: { token: string } };
  const failure = await failureOf(exchange({ auth: authOf(wrap_info.token) }));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
  expect(failure.message).toContain('what it wraps is not a secret_id');
  expect(failure.message).not.toContain('canary');
});

test('a vault that is away has spent nothing', async () => {
  const { vault, authOf, exchange } = await benchWithWrapped();
  vault.seal();
  expect(await failureOf(exchange({ auth: authOf() }))).toMatchObject({ code: 'vault_sealed' });
  vault.unseal();
  expect(await exchange({ auth: authOf() })).toHaveProperty('secret_id');
});

test.for([
  { method: 'token', token: 't' },
  { method: 'approle', role_id: 'r', secret_id: 's' },
  { method: 'kubernetes', role: 'r' },
])('credentials that last are exchanged for nothing: $method', async (auth) => {
  const { vault, exchange } = await startBench();
  expect(await exchange({ auth })).toEqual({});
  expect(vault.requests.total).toBe(0);
});

test('a wrapped secret_id that was not exchanged is refused before any call', async () => {
  const { vault, authOf, connect } = await benchWithWrapped();
  const failure = await failureOf(connect({ auth: authOf() }));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', failureClass: 'unauthenticated' });
  expect(failure.message).toContain('without being unwrapped');
  expect(vault.requests.total).toBe(0);
});

test('the file of a service account is named, unless the token itself is given', () => {
  const filesOf = (auth: object) =>
    hashicorp.files?.(hashicorp.configSchema.parse({ address: 'https://v', auth: { role: 'r', ...auth } }));
  expect(filesOf({ method: 'kubernetes' })).toEqual(['/var/run/secrets/kubernetes.io/serviceaccount/token']);
  expect(filesOf({ method: 'kubernetes', jwt_path: '/run/token' })).toEqual(['/run/token']);
  expect(filesOf({ method: 'kubernetes', jwt: 'a.b.c' })).toEqual([]);
});

test('only what finds the machine’s own identity reads the environment, and nothing a file', () => {
  const folder = fileURLToPath(new URL('../src/hashicorp', import.meta.url));
  for (const file of globSync('*.ts', { cwd: folder })) {
    const code = readFileSync(`${folder}/${file}`, 'utf8');
    expect(code, file).not.toMatch(/['"](node:)?fs(\/promises)?['"]/);
    if (file !== 'gcp-machine.ts') expect(code, file).not.toContain('process.env');
  }
});
