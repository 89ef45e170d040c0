import { SecretValue } from '@keyferry/core';
import { expect, test } from 'vitest';
import { startBench } from './azure-bench.ts';
import { failureOf, patient, readOne } from './support.ts';

const idempotencyKey = '0d0c9c5e-2c7d-4a55-8a6e-0f3f4f1f7a10';

test('the vault is asked once without a token, before anything is sent, even if all begins with writes', async () => {
  const { vault, connect, logins } = await startBench();
  const backend = await connect();
  await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      backend.put(`key/${index}`, SecretValue.fromText(`value-${index}`), { idempotencyKey }, patient),
    ),
  );
  const challenged = vault.requests.all.filter(({ operation }) => operation === 'Challenge');
  expect(challenged).toMatchObject([{ method: 'GET', path: 'secrets', status: 401 }]);
  expect(vault.requests.all[0]).toBe(challenged[0]);
  expect(logins()).toBe(1);
  for (let index = 0; index < 8; index++) expect(vault.secrets.get(`key--${index}`)?.value).toBe(`value-${index}`);
});

test('a vault that asks for a token that is for somebody else gets none', async () => {
  for (const resource of [
    'https://vault.azure.net',
    'https://management.azure.com',
    'https://127.0.0.1',
    'http://127.0.0.1:1',
    'https://azure.net',
  ]) {
    const { vault, connect, logins } = await startBench({ resource });
    const failure = await failureOf((await connect()).probe(patient));
    expect(failure, resource).toMatchObject({ failureClass: 'unauthenticated' });
    expect(failure.message).toMatch(/asks for a token that is for somebody else/);
    expect(logins(), resource).toBe(0);
    expect(vault.requests.all.map(({ operation }) => operation)).toEqual(['Challenge']);
  }
});

test('a path behind the vault’s own address is another audience', async () => {
  const { vault, connect, logins } = await startBench();
  const header = (resource: string) =>
    `Bearer authorization="${vault.authorityUrl}/${vault.tenantId}", resource="${resource}"`;
  for (const resource of [`${vault.url}/other`, `${vault.url}@evil.example.com`, 'none']) {
    const headers = { 'www-authenticate': header(resource) };
    const fault = vault.faults.inject({ operation: 'Challenge', effect: { kind: 'status', status: 401, headers } });
    const { failureClass } = await failureOf((await connect()).probe(patient));
    expect(failureClass, resource).toMatch(/unauthenticated|invalid/);
    fault.remove();
  }
  expect(logins()).toBe(0);
});

test('a vault of another directory than the settings name is refused with the one that it is in', async () => {
  const { vault, connect, logins, settings } = await startBench();
  const { auth } = settings() as { auth: object };
  const failure = await failureOf(
    (await connect({ auth: { ...auth, tenant_id: crypto.randomUUID() } })).probe(patient),
  );
  expect(failure.message).toContain(`it belongs to the directory ${vault.tenantId}; set tenant_id to that`);
  expect(failure.failureClass).toBe('unauthenticated');
  expect(logins()).toBe(0);
});

test('what is no vault does not get so far as a login', async () => {
  const { vault, connect, logins } = await startBench();
  const cases = [
    { status: 401 },
    { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } },
    { status: 401, headers: { 'www-authenticate': 'Bearer resource="https://vault.azure.net"' } },
    { status: 200, body: { value: [] } },
    { status: 404, body: '<html>' },
  ];
  for (const effect of cases) {
    const fault = vault.faults.inject({ operation: 'Challenge', effect: { kind: 'status', ...effect } });
    expect(await failureOf((await connect()).probe(patient)), JSON.stringify(effect)).toMatchObject({
      failureClass: 'invalid',
    });
    fault.remove();
  }
  expect(logins()).toBe(0);
});

test('a vault that came into another directory is asked anew when it does not accept the token', async () => {
  const { vault, clock, connect } = await startBench();
  vault.secrets.put('a', 'x');
  const backend = await connect();
  await readOne(backend, 'a');
  clock.advance(60);
  vault.revokeTokens();
  await readOne(backend, 'a');
  expect(vault.requests.counts.Challenge).toBe(2);
});

test('the container is called by its host and directory', async () => {
  const { vault, connect } = await startBench();
  const { host } = new URL(vault.url);
  expect(await (await connect()).probe(patient)).toMatchObject({
    container: 'present',
    containerId: `${host} of ${vault.tenantId}`,
    server: '1.9.2500.1',
  });
  const { applications } = vault;
  const clientId = applications.register({ permissions: ['get'] });
  const auth = {
    method: 'client_secret',
    tenant_id: vault.tenantId,
    client_id: clientId,
    client_secret: applications.addSecret(clientId),
  };
  expect(await (await connect({ auth })).probe(patient)).toMatchObject({ container: 'unproven', server: null });
});

test('a vault whose name is not resolved is unavailable, which proves nothing', async () => {
  const { connect } = await startBench();
  const backend = await connect({ vault_url: 'https://no-such-vault.invalid' });
  expect(await failureOf(backend.probe(patient))).toMatchObject({ failureClass: 'unavailable' });
  expect(await failureOf(backend.confirm('a', patient))).toMatchObject({ failureClass: 'unavailable' });
});

test('what is called a directory, and can be none, is taken for no challenge', async () => {
  const { vault, connect, logins } = await startBench();
  for (const tenant of ['x'.repeat(2_000), '%0Acanary']) {
    const header = `Bearer authorization="${vault.authorityUrl}/${tenant}", resource="${vault.url}"`;
    const effect = { kind: 'status', status: 401, headers: { 'www-authenticate': header } } as const;
    const fault = vault.faults.inject({ operation: 'Challenge', effect });
    expect(await failureOf((await connect()).probe(patient))).toMatchObject({ failureClass: 'invalid' });
    fault.remove();
  }
  expect(logins()).toBe(0);
});
