import { thisMachine } from '@keyferry/testing/support/this-machine.ts';
import { builtInVaults } from '@keyferry/vaults';
import { expect, test } from 'vitest';
import { createConnectionPool } from '../src/index.ts';
import { backendOf, patient, startPool, startVault } from './harness.ts';

async function vaultWithRole() {
  const vault = await startVault();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  vault.policies.write('reader', { 'secret/metadata/*': ['read'] });
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('sync', { policies: ['reader'] });
  const auth = { method: 'approle', role_id, secret_id: vault.auth.secretId('sync') };
  const revoked = () => vault.requests.all.filter(({ path }) => path === 'auth/token/revoke-self').length;
  return { vault, auth, revoked };
}

test('those who open the same backend share one connection and its login', async () => {
  const { vault, auth } = await vaultWithRole();
  const pool = startPool();
  let read = 0;
  const shared = backendOf(vault, { auth });
  const settings = () => {
    read++;
    return shared.settings();
  };
  const backend = { ...shared, settings };
  const connections = await Promise.all([1, 2, 3].map(() => pool.open(backend)));
  await Promise.all(connections.map((connection) => connection.confirm('a', patient)));
  expect(read).toBe(1);
  expect(vault.requests.counts.login).toBe(1);
});

test('new settings get a connection of their own, and the old one ends with its users', async () => {
  const { vault, auth, revoked } = await vaultWithRole();
  const pool = startPool();
  const before = await pool.open(backendOf(vault, { auth }, 'old'));
  await before.confirm('a', patient);
  const after = await pool.open(backendOf(vault, { auth }, 'new'));
  await after.confirm('a', patient);
  expect(await before.confirm('a', patient)).toBe('present');
  expect(revoked()).toBe(0);
  await before.close();
  expect(revoked()).toBe(1);
  expect(await after.confirm('a', patient)).toBe('present');
  expect(vault.requests.counts.login).toBe(2);
});

test('an unused connection stays for a while, then logs out', async () => {
  const { vault, auth, revoked } = await vaultWithRole();
  const pool = startPool({ idleMs: 20 });
  {
    await using connection = await pool.open(backendOf(vault, { auth }));
    await connection.confirm('a', patient);
  }
  expect(revoked()).toBe(0);
  await expect.poll(revoked).toBe(1);
  const again = await pool.open(backendOf(vault, { auth }));
  expect(await again.confirm('a', patient)).toBe('present');
});

test('closing a connection twice gives it back once', async () => {
  const { vault, auth, revoked } = await vaultWithRole();
  const pool = startPool({ idleMs: 0 });
  const [one, other] = [await pool.open(backendOf(vault, { auth })), await pool.open(backendOf(vault, { auth }))];
  await other.confirm('a', patient);
  await one.close();
  await one.close();
  expect(await other.confirm('a', patient)).toBe('present');
  expect(revoked()).toBe(0);
});

test('closing the pool logs out, fails what hangs, and opens nothing more', async () => {
  const { vault, auth, revoked } = await vaultWithRole();
  const pool = startPool({ attempts: 1 });
  const connection = await pool.open(backendOf(vault, { auth }));
  await connection.confirm('a', patient);
  const hang = vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/*' });
  const hanging = connection.confirm('a', patient);
  hanging.catch(() => {});
  await expect.poll(() => hang.hits).toBe(1);
  await pool.close();
  expect(revoked()).toBe(1);
  await expect(hanging).rejects.toMatchObject({ failureClass: 'unavailable' });
  await expect(pool.open(backendOf(vault, { auth }))).rejects.toMatchObject({ code: 'internal' });
});

test('what fails to open is not kept', async () => {
  const { vault } = await vaultWithRole();
  const pool = startPool();
  await expect(pool.open(backendOf(vault, { mount: '' }))).rejects.toMatchObject({ code: 'config_invalid' });
  await expect(pool.open({ ...backendOf(vault), kind: 'nothing' })).rejects.toMatchObject({
    code: 'backend_kind_unknown',
  });
  const connection = await pool.open(backendOf(vault));
  expect(await connection.confirm('a', patient)).toBe('present');
  expect(connection.capabilities).toMatchObject({ write: true, values: 'fields' });
});

test('credentials may refer to allowed variables', async () => {
  const { vault } = await vaultWithRole();
  const backend = backendOf(vault, { auth: { method: 'token', token: 'env.TEAM_TOKEN' } });
  const environment = { TEAM_TOKEN: vault.rootToken };
  const allowed = await startPool({}, environment, ['TEAM_*']).open(backend);
  expect(await allowed.confirm('a', patient)).toBe('present');
  await expect(startPool({}, environment, ['OTHER']).open(backend)).rejects.toMatchObject({
    code: 'reference_refused',
  });
});

test('a pool that was never used closes', async () => {
  const references = {
    allowedEnvironment: [],
    environment: {},
    allowedFiles: [],
    allowedIdentities: [],
    allowedVaults: thisMachine,
  };
  const pool = createConnectionPool({ registry: builtInVaults, ...references });
  await pool.close();
});
