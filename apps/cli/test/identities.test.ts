import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { newSigningKey, publicJwk, startIssuer, type TestIssuer } from '@keyferry/testing/support/token-issuer.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { document, type Ended, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

const cleanup = new AsyncDisposableStack();
let issuer: TestIssuer;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  issuer = await startIssuer();
  cleanup.defer(() => issuer.close());
  ({ env } = await startServices(cleanup, { KEYFERRY_ALLOWED_EGRESS: '127.0.0.1' }, ['api']));
});
afterAll(() => cleanup.disposeAsync());

const cli = (...args: string[]) => keyferry(args, env);
const as = (token: string, ...args: string[]) => keyferry(args, { ...env, KEYFERRY_TOKEN: token });
async function ok(ended: Promise<Ended>): Promise<string> {
  const done = await ended;
  expect(done).toMatchObject({ code: 0 });
  return done.stdout;
}

test('an identity is made, gets a token that is printed alone, is somebody by it, and no more once it is revoked', async () => {
  expect(await ok(cli('identity', 'create', 'ci', '--description', 'builds', '--scope', 'federation:read'))).toMatch(
    /name +ci\nid .+\nstate +active\nscopes +federation:read\noperator +no\ndescription +builds/,
  );
  const made = await cli('token', 'create', 'ci', '--name', 'runner', '--expires-in', '90d');
  expect(made.stdout).toMatch(/^kf_[\w-]{43}\n$/);
  expect(made.stderr).toContain('Keep it now');
  const token = made.stdout.trim();
  expect(await ok(as(token, 'whoami'))).toMatch(/actor +ci\nidentity .+\ntenant +default .+\nscopes +federation:read/);
  expect(document(await as(token, 'whoami', '--json'))).toMatchObject({ actor: 'ci', scopes: ['federation:read'] });
  expect(await as(token, 'identity', 'list')).toMatchObject({ code: 4, stderr: expect.stringContaining('settings') });
  expect(await ok(cli('token', 'list', 'ci'))).toMatch(/runner +kf_[\w-]+ +active .+ in 90 d/);
  expect(await ok(cli('identity', 'list'))).toMatch(/ci +active +federation:read +no +builds/);
  expect(await ok(cli('identity', 'update', 'ci', '--without-scopes'))).toMatch(/scopes +-/);
  expect(await ok(cli('identity', 'disable', 'ci'))).toMatch(/state +disabled/);
  expect((await as(token, 'whoami')).code).not.toBe(0);
  await ok(cli('identity', 'enable', 'ci'));
  await ok(as(token, 'whoami'));
  expect(await ok(cli('token', 'revoke', 'ci', 'runner', '--yes'))).toMatch(/Revoked runner \(kf_[\w-]+…\)/);
  expect((await as(token, 'whoami')).stderr).toContain('no valid bearer token');
  const json = document(await cli('token', 'create', 'ci', '--json'));
  expect(json).toMatchObject({ name: 'token', state: 'active', expires_at: null });
  expect(await ok(cli('identity', 'remove', 'ci', '--yes'))).toBe('Removed ci; 1 token revoked.\n');
  expect((await as(json.token, 'whoami')).code).not.toBe(0);
});

test('an issuer is added with its mappings, its tokens are somebody, and it is changed and removed', async () => {
  await ok(cli('identity', 'create', 'deployer'));
  const where = ['--issuer', issuer.url, '--audience', 'keyferry'];
  expect(await ok(cli('issuer', 'add', 'hub', ...where, '--map', 'deployer sub=repo:acme/*  ref=main'))).toMatch(
    /keys from +discovery[\s\S]+mapping 1 +ref=main sub=repo:acme\/\* is deployer/,
  );
  const token = () => issuer.sign({ sub: 'repo:acme/shop', ref: 'main' });
  expect(await ok(as(token(), 'whoami'))).toMatch(/actor +deployer \(hub:repo:acme\/shop\)/);
  expect(await ok(cli('issuer', 'list'))).toMatch(/hub +oidc +http\S+ +keyferry +discovery +deployer/);

  const folder = temporaryFolder('issuer');
  cleanup.defer(() => folder.remove());
  const key = newSigningKey('ES256');
  const file = join(folder.path, 'keys.json');
  await writeFile(file, JSON.stringify({ keys: [publicJwk(key)] }));
  const account = ['--service-account', 'deployer prod/deployer'];
  expect(await ok(cli('issuer', 'update', 'hub', '--jwks-file', file, ...account, '--rename', 'cluster'))).toMatch(
    /name +cluster[\s\S]+keys from +the settings[\s\S]+mapping 1 +sub=system:serviceaccount:prod:deployer is deployer/,
  );
  const theirs = issuer.sign({ sub: 'system:serviceaccount:prod:deployer' }, { key });
  expect(await ok(as(theirs, 'whoami'))).toContain('deployer (cluster:system:serviceaccount:prod:deployer)');
  expect((await as(token(), 'whoami')).code).not.toBe(0);
  expect(await ok(cli('issuer', 'remove', 'cluster', '--yes'))).toBe('Removed cluster.\n');
  expect(await cli('issuer', 'show', 'cluster')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no issuer "cluster".'),
  });
});

test.each([
  [['identity', 'create', 'x', '--scope', 'everything'], 'scope'],
  [['identity', 'update', 'x'], 'Nothing to change'],
  [['issuer', 'add', 'x', '--audience', 'a'], '--issuer has to be given'],
  [['issuer', 'add', 'x', '--issuer', 'https://a.example', '--audience', 'a', '--map', 'ci'], '--map "ci"'],
  [['issuer', 'add', 'x', '--issuer', 'https://a.example', '--audience', 'a', '--map', 'ci sub'], '"sub" is not'],
  [
    ['issuer', 'add', 'x', '--issuer', 'https://a.example', '--audience', 'a', '--service-account', 'x'],
    '--service-account "x"',
  ],
  [['issuer', 'update', 'x', '--jwks-file', '/nowhere'], "can't be read"],
])('%j is refused with what is wrong', async (args, words) => {
  const { code, stderr } = await cli(...args);
  expect(code).toBe(2);
  expect(stderr).toMatch(new RegExp(words.replaceAll(/[()]/g, '\\$&')));
});
