import type { KeyferryError } from '@keyferry/core';
import { builtInVaults } from '@keyferry/vaults';
import { expect, test } from 'vitest';
import { resolveReferences, validateSettings } from '../src/index.ts';

const environment = { VAULT_TOKEN: 'from the environment', DATABASE_URL: 'the operator’s', EMPTY: '' };

function failure(run: () => unknown): KeyferryError {
  try {
    run();
  } catch (error) {
    return error as KeyferryError;
  }
  throw new Error('it did not fail');
}

test('allowed variables are put in wherever they are named, and other text is left as it is', () => {
  const auth = {
    method: 'token',
    token: 'env.VAULT_TOKEN',
    nested: [{ deep: 'env.VAULT_TOKEN' }],
    plain: 'environment',
    n: 1,
  };
  expect(resolveReferences(auth, environment, ['VAULT_TOKEN'])).toEqual({
    method: 'token',
    token: 'from the environment',
    nested: [{ deep: 'from the environment' }],
    plain: 'environment',
    n: 1,
  });
});

test('an allowed name may end in a wildcard', () => {
  expect(resolveReferences('env.VAULT_TOKEN', environment, ['VAULT_*'])).toBe('from the environment');
  expect(resolveReferences('env.DATABASE_URL', environment, ['*'])).toBe('the operator’s');
});

test.for([
  ['env.DATABASE_URL', 'reference_refused'],
  ['env.VAULT_TOKEN_2', 'reference_refused'],
  ['env.EMPTY', 'reference_unresolved'],
  ['env.UNSET', 'reference_unresolved'],
  ['env.', 'reference_invalid'],
  ['env.a-b', 'reference_invalid'],
] as const)('%s ends as %s and never as an empty string', ([reference, code]) => {
  const resolve = () => resolveReferences({ token: reference }, environment, ['VAULT_TOKEN', 'EMPTY', 'UNSET']);
  expect(failure(resolve).code).toBe(code);
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
