import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { document, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

const cleanup = new AsyncDisposableStack();
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const services = await startServices(cleanup, {}, ['api']);
  env = services.env;
  await asAdmin(services.database.ownerUrl, (client) =>
    client.query(`
      INSERT INTO keyferry.identities (tenant_id, name, scopes, created_by, created_at, updated_at)
        SELECT id, unnest(ARRAY['shop', 'billing']), '{}', 'ann', now(), now() FROM keyferry.tenants;
      INSERT INTO keyferry.token_issuers (tenant_id, name, kind, issuer, audiences, algorithms, mappings, created_by, created_at, updated_at)
        SELECT id, 'ci', 'oidc', 'https://ci.test', '{keyferry}', '{RS256}', '[]', 'ann', now(), now() FROM keyferry.tenants`),
  );
});
afterAll(() => cleanup.disposeAsync());

const cli = (...args: string[]) => keyferry(['policy', ...args], env);

test('a policy is made, listed, shown, changed, asked about and removed', async () => {
  const made = await cli('create', 'shop-reads', '--path', 'shop/**', '--allow', 'read', '--identity', 'shop');
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(made.stdout).toMatch(/paths +shop\/\*\*\npermissions +read\nfor +shop\nfrom +anywhere\nuntil +-\n/);
  expect((await cli('list')).stdout).toMatch(/shop-reads +shop\/\*\* +read +shop +anywhere +-/);

  expect(await cli('check', 'shop', 'read', 'shop/stripe')).toEqual({
    code: 0,
    stderr: '',
    stdout: '"shop" may read "shop/stripe": the policy "shop-reads" grants it.\n',
  });
  const changed = await cli('update', 'shop-reads', '--from', '10.0.0.0/8', '--until', '2100-01-01T00:00:00Z');
  expect(changed.stdout).toMatch(/from +10\.0\.0\.0\/8\nuntil +2100-01-01T00:00:00\.000Z/);
  expect((await cli('check', 'shop', 'read', 'shop/stripe', '--address', '10.1.2.3')).code).toBe(0);
  expect(await cli('check', 'shop', 'write', 'shop/stripe', '--address', '192.0.2.1')).toEqual({
    code: 1,
    stderr: '',
    stdout:
      '"shop" may not write "shop/stripe": no policy grants it.\n' +
      '  The policy "shop-reads" doesn’t let them write "shop/stripe": it is for requests from 10.0.0.0/8 and grants read.\n',
  });
  expect((await cli('check', 'billing', 'read', 'shop/a')).stdout).toContain('and is for others.');

  expect(document(await cli('show', 'shop-reads', '--json'))).toMatchObject({
    name: 'shop-reads',
    permissions: ['read'],
  });
  expect(await cli('update', 'shop-reads', '--for-ever', '--from-anywhere', '--rename', 'shop')).toMatchObject({
    code: 0,
  });
  expect(await cli('remove', 'shop', '--yes')).toMatchObject({ code: 0, stdout: 'Removed shop.\n' });
  expect((await cli('list')).stdout).toBe('There is no policy yet.\n');
});

test('a policy is for whoever brings a token with these claims', async () => {
  const made = await cli(
    ...['create', 'deploys', '--path', 'shop/deploy/*', '--allow', 'read', '--allow', 'list'],
    ...['--issuer', 'ci', '--claim', 'sub=repo:shop/*', '--claim', 'env=a=b'],
  );
  expect(made.stdout).toMatch(/for +ci: env=a=b sub=repo:shop\/\*\n/);
  expect(await cli('remove', 'deploys', '--yes')).toMatchObject({ code: 0 });
});

test.each([
  [['create', 'a', '--allow', 'read', '--identity', 'shop'], 2, 'policy_invalid'],
  [['create', 'a', '--path', 'a', '--identity', 'shop'], 2, 'permissions: must be a list of permissions'],
  [
    ['create', 'a', '--path', 'a', '--allow', 'read'],
    2,
    'bindings: must be a list of identities, or of issuers with claims',
  ],
  [['create', 'a', '--path', 'a/**', '--allow', 'fly', '--identity', 'shop'], 2, 'policy_invalid'],
  [['create', 'a', '--path', 'a/**b', '--allow', 'read', '--identity', 'shop'], 2, 'glob_invalid'],
  [['create', 'a', '--path', '**', '--allow', 'read', '--identity', 'shop'], 2, 'policy_too_broad'],
  [['create', 'a', '--path', 'a', '--allow', 'read', '--identity', 'nobody'], 1, 'identity_not_found'],
  [['create', 'a', '--path', 'a', '--allow', 'read', '--issuer', 'ci'], 2, 'usage_invalid'],
  [['create', 'a', '--path', 'a', '--allow', 'read', '--issuer', 'ci', '--claim', 'sub'], 2, 'usage_invalid'],
  [['update', 'nothing'], 2, 'usage_invalid'],
  [['show', 'nothing'], 1, 'policy_not_found'],
  [['check', 'shop', 'fly', 'a'], 2, 'Allowed choices'],
  [['check', 'nobody', 'read', 'a'], 1, 'identity_not_found'],
])('%j ends with exit code %i and says %s', async (args, code, word) => {
  const ended = await cli(...args);
  expect([ended.code, ended.stdout]).toEqual([code, '']);
  expect(ended.stderr).toContain(word);
});
