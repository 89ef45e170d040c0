import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyferryError } from '@keyferry/core';
import { thisMachine } from '@keyferry/testing/support/this-machine.ts';
import { builtInVaults } from '@keyferry/vaults';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type CredentialKeys, resolveSettings, validateSettings } from '../src/index.ts';

const environment = {
  VAULT_TOKEN: 'token-of-the-environment',
  VAULT_ROLE: 'a role',
  PLAIN: 't6',
  DATABASE_URL: 'x',
  EMPTY: '',
};

function failure(run: () => unknown): KeyferryError {
  try {
    run();
  } catch (error) {
    return error as KeyferryError;
  }
  throw new Error('it did not fail');
}

const address = 'https://vault.example.com';

/** What the settings' auth becomes, with these keys in the store and these variables allowed. */
async function authOf(
  settings: Record<string, unknown>,
  { keys = {}, allowed = [], files = [] }: { keys?: Record<string, string>; allowed?: string[]; files?: string[] } = {},
) {
  const options = {
    registry: builtInVaults,
    environment,
    allowedEnvironment: allowed,
    allowedFiles: files,
    allowedIdentities: [],
    allowedVaults: thisMachine,
  };
  const owner = { id: 'self', keys: keysOf(keys) };
  const { config } = await resolveSettings('hashicorp', { address, ...settings }, owner, options);
  return (config as { auth: unknown }).auth;
}

function keysOf(keys: Record<string, string>): CredentialKeys {
  return {
    versions: async (paths) => paths.map((path) => keys[path] ?? '').join(),
    async read(path) {
      const text = keys[path];
      if (text === undefined) throw new KeyferryError('reference_unresolved', `There is no ${path}.`);
      return { backendId: path.startsWith('own/') ? 'self' : 'other', value: Buffer.from(text), previous: null };
    },
  };
}

test('allowed variables are put in where they are named', async () => {
  const auth = { method: 'approle', role_id: 'env.VAULT_ROLE', secret_id: 'environment' };
  for (const allowed of [['VAULT_*'], ['VAULT_ROLE'], ['*']])
    expect(await authOf({ auth }, { allowed })).toMatchObject({ role_id: 'a role', secret_id: 'environment' });
});

test.for([
  ['env.DATABASE_URL', 'reference_refused'],
  ['env.VAULT_TOKEN_2', 'reference_refused'],
  ['env.EMPTY', 'reference_unresolved'],
  ['env.UNSET', 'reference_unresolved'],
  ['env.', 'reference_invalid'],
  ['env.a-b', 'reference_invalid'],
  ['vault.', 'reference_invalid'],
  ['vault.a#', 'reference_invalid'],
  ['vault.a#b#c', 'reference_invalid'],
  ['vault.gone', 'reference_unresolved'],
  ['vault.team#gone', 'reference_unresolved'],
  ['vault.team#empty', 'reference_unresolved'],
  ['vault.own/key', 'credentials_cycle'],
] as const)('%s ends as %s and never as an empty string', async ([reference, code]) => {
  const auth = { method: 'token', token: reference };
  const keys = { team: '{"empty":"","other":"x"}', 'own/key': 'x' };
  const allowed = ['VAULT_TOKEN', 'EMPTY', 'UNSET'];
  await expect(authOf({ auth }, { allowed, keys })).rejects.toMatchObject({ code });
});

test('a key of Keyferry’s own is put in, whole or one field of it', async () => {
  const keys = { plain: 't1', single: '{"value":"t2"}', 'team/a#b': '{"token":"t3","n":4}' };
  const tokenOf = async (token: string) => await authOf({ auth: { method: 'token', token } }, { keys });
  expect(await tokenOf('vault.plain')).toMatchObject({ token: 't1' });
  expect(await tokenOf('vault.single')).toMatchObject({ token: 't2' });
  expect(await tokenOf('vault.team/a%23b#token')).toMatchObject({ token: 't3' });
  expect(await tokenOf('vault.team/a%23b#n')).toMatchObject({ token: '4' });
});

describe('credentials_path', () => {
  const keys = {
    token: 't1',
    approle: '{"role_id":"r","secret_id":"s"}',
    whole: '{"method":"approle","role_id":"r","secret_id":"s"}',
  };

  test('names a key by its path, with the method beside it or in it', async () => {
    expect(await authOf({ credentials_path: 'token', auth: { method: 'token' } }, { keys })).toMatchObject({
      token: 't1',
    });
    expect(await authOf({ auth_config_path: 'vault.token', auth: { method: 'token' } }, { keys })).toMatchObject({
      token: 't1',
    });
    const approle = { method: 'approle', role_id: 'r', secret_id: 's' };
    expect(await authOf({ credentials_path: 'approle', auth: { method: 'approle' } }, { keys })).toMatchObject(approle);
    expect(await authOf({ credentials_path: 'whole' }, { keys })).toMatchObject(approle);
    const beside = { method: 'approle', mount_path: 'other' };
    expect(await authOf({ credentials_path: 'approle', auth: beside }, { keys })).toMatchObject({
      ...approle,
      ...beside,
    });
  });

  test('names a variable or a file where the operator allows it', async () => {
    const auth = { method: 'token' };
    const folder = await mkdtemp(join(tmpdir(), 'keyferry-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'token');
    await writeFile(file, 't5\n');
    expect(await authOf({ credentials_path: file, auth }, { files: [file] })).toMatchObject({ token: 't5' });
    expect(await authOf({ credentials_path: 'env.PLAIN', auth }, { allowed: ['PLAIN'] })).toMatchObject({
      token: 't6',
    });
    for (const credentials_path of [file, 'env.PLAIN'])
      await expect(authOf({ credentials_path, auth })).rejects.toMatchObject({ code: 'reference_refused' });
  });

  test.for([
    [{ credentials_path: 'token' }, 'auth.method'],
    [{ credentials_path: 'approle', auth: { method: 'approle', secret_id: 's' } }, 'auth.secret_id'],
    [{ credentials_path: 'a', auth_config_path: 'b' }, 'auth_config_path'],
    [{ credentials_path: '', auth: {} }, 'credentials_path'],
    [{ calls_per_second: 0, auth: { method: 'token', token: 't' } }, 'calls_per_second'],
    [{ parallelism: 1.5, auth: { method: 'token', token: 't' } }, 'parallelism'],
  ] as const)('%j is refused by its field', async ([settings, field]) => {
    await expect(authOf(settings, { keys })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(field),
    });
  });
});

test('settings come back complete', () => {
  const settings = { address: 'https://vault.example.com', auth: { method: 'token', token: 't' } };
  expect(validateSettings(builtInVaults, 'hashicorp', settings)).toMatchObject({ mount: 'secret', allow_http: false });
});

test('settings that can’t be used are refused by field, without a value', () => {
  const settings = {
    address: 'canary://user:canary@host',
    mount: 'canary canary',
    kv_version: 'canary',
    tls: { ca_cert: 'canary' },
    auth: { method: 'approle', role_id: '', secret_id: 'canary', wrapped_secret_id: 'canary', canary_cert: 1 },
  };
  const found = failure(() => validateSettings(builtInVaults, 'hashicorp', settings));
  expect(found).toMatchObject({ code: 'config_invalid' });
  for (const field of ['address', 'mount', 'kv_version', 'tls.ca_cert', 'auth.role_id'])
    expect(found.message).toContain(field);
  expect(found.message.replace('canary_cert', '')).not.toContain('canary');
});

test('an unknown kind names those there are', () => {
  const found = failure(() => validateSettings(builtInVaults, 'vault9000', {}));
  expect(found).toMatchObject({ code: 'backend_kind_unknown' });
  expect(found.message).toContain('hashicorp');
});
