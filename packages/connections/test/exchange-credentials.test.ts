import { thisMachine } from '@keyferry/testing/support/this-machine.ts';
import { builtInVaults } from '@keyferry/vaults';
import { expect, test } from 'vitest';
import { exchangeCredentials as exchangeFor, type PoolOptions } from '../src/index.ts';
import { backendOf, noKeys, patient, quick, startPool, startVault } from './harness.ts';

async function vaultWithWrapped() {
  const vault = await startVault();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  vault.policies.write('reader', { 'secret/metadata/*': ['read'] });
  vault.auth.enable('approle');
  const role_id = vault.auth.appRole('sync', { policies: ['reader'] });
  const wrapped_secret_id = vault.auth.secretId('sync', { wrapTtlSeconds: 300 });
  return { vault, role_id, wrapped_secret_id };
}

function optionsOf(environment: NodeJS.ProcessEnv = {}): PoolOptions {
  const allowedEnvironment = Object.keys(environment);
  return {
    registry: builtInVaults,
    environment,
    allowedEnvironment,
    allowedFiles: [],
    allowedIdentities: [],
    allowedVaults: thisMachine,
    limits: quick,
  };
}

const exchangeCredentials = (
  options: PoolOptions,
  kind: string,
  settings: Record<string, unknown>,
  signal: AbortSignal,
) => exchangeFor(options, kind, settings, { id: null, keys: noKeys }, signal);

const secretId = expect.stringMatching(/^[0-9a-f-]{36}$/);

test('what was exchanged logs in wherever it is read, and references beside it stay references', async () => {
  const { vault, role_id, wrapped_secret_id } = await vaultWithWrapped();
  const environment = { TEAM_ROLE: role_id, TEAM_WRAPPED: wrapped_secret_id };
  const auth = { method: 'approle', role_id: 'env.TEAM_ROLE', wrapped_secret_id: 'env.TEAM_WRAPPED' };
  const settings = { address: vault.url, auth };
  const stored = await exchangeCredentials(optionsOf(environment), 'hashicorp', settings, patient);
  expect(stored).toEqual({ method: 'approle', role_id: 'env.TEAM_ROLE', secret_id: secretId });
  for (const pool of [startPool({}, environment, ['TEAM_*']), startPool({}, environment, ['TEAM_*'])]) {
    const connection = await pool.open(backendOf(vault, { auth: stored }));
    expect(await connection.confirm('a', patient)).toBe('present');
  }
});

test('credentials that last come back as they were given, without a call', async () => {
  const { vault } = await vaultWithWrapped();
  const auth = { method: 'token', token: 'env.TEAM_TOKEN' };
  const options = optionsOf({ TEAM_TOKEN: 't' });
  expect(await exchangeCredentials(options, 'hashicorp', { address: vault.url, auth }, patient)).toEqual(auth);
  expect(vault.requests.total).toBe(0);
});

test('settings that can’t be used spend nothing', async () => {
  const { vault, role_id, wrapped_secret_id } = await vaultWithWrapped();
  const auth = { method: 'approle', role_id, wrapped_secret_id };
  const settings = { address: vault.url, mount: '', auth };
  await expect(exchangeCredentials(optionsOf(), 'hashicorp', settings, patient)).rejects.toMatchObject({
    code: 'config_invalid',
  });
  expect(vault.requests.total).toBe(0);
});

test('a vault that is away for a moment is asked again, and the sockets are closed', async () => {
  const { vault, role_id, wrapped_secret_id } = await vaultWithWrapped();
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const settings = { address: vault.url, auth: { method: 'approle', role_id, wrapped_secret_id } };
  vault.seal();
  const options = { ...optionsOf(), limits: { ...quick, attempts: 100_000 } };
  const exchange = exchangeCredentials(options, 'hashicorp', settings, patient);
  await expect.poll(() => vault.requests.total).toBeGreaterThan(1);
  vault.unseal();
  expect(await exchange).toMatchObject({ secret_id: secretId });
  await expect.poll(sockets).toBe(0);
});

test('an answer that was lost on its way leaves the wrapping token spent, and that is said', async () => {
  const { vault, role_id, wrapped_secret_id } = await vaultWithWrapped();
  vault.faults.inject({ effect: { kind: 'reset' }, path: 'sys/wrapping/unwrap', times: 1 });
  const settings = { address: vault.url, auth: { method: 'approle', role_id, wrapped_secret_id } };
  await expect(exchangeCredentials(optionsOf(), 'hashicorp', settings, patient)).rejects.toMatchObject({
    code: 'vault_unauthenticated',
    message: expect.stringContaining('issue a new one'),
  });
});

test('a caller who gives up waits no longer', async () => {
  const { vault, role_id, wrapped_secret_id } = await vaultWithWrapped();
  const hang = vault.faults.inject({ effect: { kind: 'hang' }, path: 'sys/wrapping/unwrap' });
  const controller = new AbortController();
  const settings = { address: vault.url, auth: { method: 'approle', role_id, wrapped_secret_id } };
  const exchange = exchangeCredentials(optionsOf(), 'hashicorp', settings, controller.signal);
  exchange.catch(() => {});
  await expect.poll(() => hang.hits).toBe(1);
  controller.abort(new Error('enough'));
  await expect(exchange).rejects.toThrow('enough');
});
