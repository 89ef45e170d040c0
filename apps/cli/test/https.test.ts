import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestCertificate } from '@keyferry/emulators';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKeyferry } from './support/command-line.ts';
import { type Services, startServices } from './support/services.ts';

/** Commands as processes of their own: what a process trusts is the whole process's. */

const cleanup = new AsyncDisposableStack();
let services: Services;
let env: NodeJS.ProcessEnv;
let authority = '';

beforeAll(async () => {
  const folder = temporaryFolder('cli-tls');
  cleanup.defer(folder.remove);
  authority = join(folder.path, 'cert.pem');
  const key = join(folder.path, 'key.pem');
  const made = createTestCertificate('keyferry', ['127.0.0.1', 'localhost'], 'ec');
  writeFileSync(authority, made.certificate);
  writeFileSync(key, made.privateKey);
  const tls = { KEYFERRY_API_TLS_CERT_FILE: authority, KEYFERRY_API_TLS_KEY_FILE: key };
  services = await startServices(cleanup, tls, ['api']);
  env = { ...services.env, KEYFERRY_URL: services.env.KEYFERRY_URL?.replace('http:', 'https:') };
});
afterAll(() => cleanup.disposeAsync());

const run = (args: string[], more: NodeJS.ProcessEnv = {}) => startKeyferry(args, { ...env, ...more }).ended;

test.each(['KEYFERRY_CA_FILE', 'NODE_EXTRA_CA_CERTS'])(
  'the command and the client in it speak to an API of an authority that %s names',
  async (variable) => {
    const listed = await run(['backend', 'list', '--json'], { [variable]: authority });
    expect(listed.code, listed.stderr).toBe(0);
    // By @keyferry/client.
    const read = await run(['secrets', 'resolve', 'vault.none'], { [variable]: authority });
    expect(`${read.stdout}${read.stderr}`).toContain('none');
    expect(`${read.stdout}${read.stderr}`).not.toContain("can't be reached");
  },
);

test('without it the API is not believed', async () => {
  const { code, stderr } = await run(['backend', 'list']);
  expect(code).not.toBe(0);
  expect(stderr).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
});

test.each([
  ['is not there', '/nowhere/at/all.pem'],
  ['holds no certificate', import.meta.filename],
])('a file that %s is told of', async (_what, file) => {
  const { code, stderr } = await run(['backend', 'list'], { KEYFERRY_CA_FILE: file });
  expect(code).toBe(2);
  expect(stderr).toContain(`KEYFERRY_CA_FILE names ${file}`);
});
