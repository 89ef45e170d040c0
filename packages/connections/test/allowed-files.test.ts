import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isAllowedFile, parseAllowedFiles } from '../src/index.ts';
import { backendOf, patient, startPool, startVault } from './harness.ts';

const jwt = 'e30.e30.canary';

async function folderWithToken() {
  const folder = await mkdtemp(join(tmpdir(), 'keyferry-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'tokens'));
  await mkdir(join(folder, 'other'));
  for (const place of ['tokens', 'other']) await writeFile(join(folder, place, 'team'), jwt);
  return folder;
}

async function vaultWithPod() {
  const vault = await startVault();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  vault.policies.write('reader', { 'secret/metadata/*': ['read'] });
  vault.auth.enable('kubernetes');
  vault.auth.kubernetesRole('pod', { policies: ['reader'], jwts: [jwt] });
  const backend = (settings: object) => backendOf(vault, { auth: { method: 'kubernetes', role: 'pod', ...settings } });
  return { vault, backend };
}

test('the list is of absolute paths, separated by commas', () => {
  expect(parseAllowedFiles('')).toEqual([]);
  expect(parseAllowedFiles('/run/token,/run/tokens/*,')).toEqual(['/run/token', '/run/tokens/*']);
  for (const entry of ['token', './token', '*', '/run/../etc/*', '/run/./token', ' /run/token'])
    expect(() => parseAllowedFiles(`/run/a,${entry}`)).toThrow(`KEYFERRY_ALLOWED_FILES has "${entry}"`);
});

test.for([
  ['/run/token', true],
  ['/run/other/../token', true],
  ['/run//token', true],
  ['/run/token2', false],
  ['/run', false],
  ['/run/tokens/team', true],
  ['/run/tokens/a/b', true],
  ['/run/tokens', false],
  ['/run/tokens/../master.key', false],
  ['/run/tokens/..', false],
  ['run/token', false],
  ['../run/token', false],
  ['', false],
] as const)('"%s" is allowed: %s', ([path, allowed]) => {
  expect(isAllowedFile(path, ['/run/token', '/run/tokens/*'])).toBe(allowed);
});

test('a pod logs in with the token of an allowed file, also by a link that the operator made', async () => {
  const folder = await folderWithToken();
  await symlink(join(folder, 'other', 'team'), join(folder, 'tokens', 'link'));
  const { backend } = await vaultWithPod();
  for (const name of ['team', 'link', '../tokens/team']) {
    const pool = startPool({}, {}, [], [`${folder}/tokens/*`]);
    const connection = await pool.open(backend({ jwt_path: `${folder}/tokens/${name}` }));
    expect(await connection.confirm('a', patient)).toBe('present');
  }
});

test('what is compared is what is read, where a link is followed by dots', async () => {
  const folder = await folderWithToken();
  await mkdir(join(folder, 'other', 'inner'));
  await symlink(join(folder, 'other', 'inner'), join(folder, 'tokens', 'link'));
  await writeFile(join(folder, 'other', 'key'), jwt);
  const { backend } = await vaultWithPod();
  const pool = startPool({}, {}, [], [`${folder}/tokens/*`]);
  // The system would take it for other/key.
  const connection = await pool.open(backend({ jwt_path: `${folder}/tokens/link/../key` }));
  await expect(connection.confirm('a', patient)).rejects.toMatchObject({ code: 'reference_unresolved' });
});

test.for(['/etc/passwd', '/run/tokens/../master.key', 'run/tokens/team'])(
  '%s is refused by its name before anything is read or asked',
  async (jwt_path) => {
    const { vault, backend } = await vaultWithPod();
    const opening = startPool({}, {}, [], ['/run/tokens/*']).open(backend({ jwt_path }));
    await expect(opening).rejects.toMatchObject({
      code: 'reference_refused',
      failureClass: 'unauthenticated',
      message: expect.stringContaining(jwt_path),
    });
    expect(vault.requests.total).toBe(0);
  },
);

test('the usual place of a service account’s token has to be allowed as well', async () => {
  const { backend } = await vaultWithPod();
  const usual = '/var/run/secrets/kubernetes.io/serviceaccount/token';
  await expect(startPool().open(backend({}))).rejects.toMatchObject({
    code: 'reference_refused',
    message: expect.stringContaining(usual),
  });
  const connection = await startPool({}, {}, [], [usual]).open(backend({}));
  await connection.close();
  const given = await startPool().open(backend({ jwt }));
  expect(await given.confirm('a', patient)).toBe('present');
});

test('an allowed file that isn’t there is said to be so', async () => {
  const folder = await folderWithToken();
  const { vault, backend } = await vaultWithPod();
  const jwt_path = join(folder, 'tokens', 'nobody');
  const connection = await startPool({}, {}, [], [jwt_path]).open(backend({ jwt_path }));
  await expect(connection.confirm('a', patient)).rejects.toMatchObject({
    code: 'reference_unresolved',
    failureClass: 'unauthenticated',
    message: expect.stringContaining(jwt_path),
  });
  expect(vault.requests.total).toBe(0);
});

test('a variable that was put in the place of a path is not repeated', async () => {
  const { backend } = await vaultWithPod();
  const pool = startPool({}, { TEAM_TOKEN: '/canary' }, ['TEAM_TOKEN'], ['/run/*']);
  const failure = await pool.open(backend({ jwt_path: 'env.TEAM_TOKEN' })).then(
    () => null,
    (error: Error) => error,
  );
  expect(failure).toMatchObject({ code: 'reference_refused' });
  expect(failure?.message).not.toContain('canary');
});
