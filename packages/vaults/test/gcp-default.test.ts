import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { startBench } from './gcp-bench.ts';
import { failureOf, readOne } from './support.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyferry-gcp-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '');
  vi.stubEnv('CLOUDSDK_CONFIG', folder);
  vi.stubEnv('GCE_METADATA_HOST', '127.0.0.1:1');
});

afterEach(() => void vi.unstubAllEnvs());

async function benchOfMachine() {
  const bench = await startBench();
  bench.secrets.put('a', 'x');
  const connect = () => bench.connect({ auth: { method: 'default' } });
  const named = (text: string) => {
    writeFileSync(join(folder, 'named.json'), text);
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'named.json'));
  };
  const left = (text: string) => writeFileSync(join(folder, 'application_default_credentials.json'), text);
  return { ...bench, connect, named, left };
}

test('the file that the environment names comes first, then gcloud’s, then the metadata server', async () => {
  const { vault, connect, named, left, asked } = await benchOfMachine();
  const account = (name: string) => vault.identities.serviceAccount(name, vault.projectId);
  expect(await failureOf(readOne(await connect(), 'a'))).toMatchObject({ failureClass: 'unavailable' });

  vi.stubEnv('GCE_METADATA_HOST', new URL(vault.url).host);
  vault.identities.onMachine(account('machine'));
  await readOne(await connect(), 'a');
  expect(asked('Metadata')).toBe(1);

  left(vault.identities.keyFile(account('left')));
  await readOne(await connect(), 'a');
  named(vault.identities.keyFile(account('named')));
  await readOne(await connect(), 'a');
  expect([asked('Metadata'), asked('Token')]).toEqual([1, 2]);
});

test('a pool’s configuration names files of the operator’s', async () => {
  const { vault, connect, named } = await benchOfMachine();
  const pool = vault.identities.pool('cluster');
  vault.identities.grant(pool.principal('pod'), vault.projectId);
  const file = join(folder, 'token');
  named(pool.credentials({ file }));
  const failure = await failureOf(readOne(await connect(), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', message: expect.stringContaining(file) });
  writeFileSync(file, pool.subjectToken('pod'));
  expect((await readOne(await connect(), 'a')).version).toBe('1');
});

test('a program is not run here either', async () => {
  const { vault, connect, named } = await benchOfMachine();
  const pool = vault.identities.pool('cluster');
  named(pool.credentials({ executable: { command: `/bin/touch ${join(folder, 'canary')}` } }));
  const failure = await failureOf(readOne(await connect(), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', message: expect.stringContaining('program') });
});

test('the login of a person is refreshed', async () => {
  const { vault, connect, left } = await benchOfMachine();
  const user = JSON.parse(vault.identities.person('ada@example.com', vault.projectId));
  left(JSON.stringify(user));
  expect((await readOne(await connect(), 'a')).version).toBe('1');
  left(JSON.stringify({ ...user, refresh_token: 'canary' }));
  const failure = await failureOf(readOne(await connect(), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', message: expect.not.stringContaining('canary') });
  left(JSON.stringify({ ...user, client_secret: 7 }));
  expect((await failureOf(readOne(await connect(), 'a'))).message).toContain('client_secret');
});

test('a file that can’t be read or holds something else is told by its name', async () => {
  const { connect, named } = await benchOfMachine();
  named('canary');
  expect((await failureOf(readOne(await connect(), 'a'))).message).toContain('named.json is no JSON object');
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'gone.json'));
  expect(await failureOf(readOne(await connect(), 'a'))).toMatchObject({
    code: 'vault_unauthenticated',
    message: expect.stringContaining('gone.json'),
  });
});
