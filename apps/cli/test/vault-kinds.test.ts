import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AwsEmulator, type GcpEmulator, startAwsEmulator, startGcpEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

/** The command, with vaults of other kinds than HashiCorp's. */

const cleanup = new AsyncDisposableStack();
let aws: AwsEmulator;
let gcp: GcpEmulator;
let env: NodeJS.ProcessEnv;
let folder: string;

beforeAll(async () => {
  aws = await startAwsEmulator();
  cleanup.defer(() => aws.close());
  gcp = await startGcpEmulator();
  cleanup.defer(() => gcp.close());
  ({ env, folder } = await startServices(cleanup));
});
afterAll(() => cleanup.disposeAsync());

const cli = (...args: string[]) => keyferry(args, env);

/** `--set` for each of these members. */
const set = (members: Record<string, string>) =>
  Object.entries(members).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

describe('backend add', () => {
  test('registers an AWS backend by its members, which can be tested and synced', async () => {
    aws.secrets.put('team/openai', 'not-a-key');
    const { accessKeyId, secretAccessKey } = aws.operator;
    const members = { region: aws.region, endpoint: aws.url, sts_endpoint: aws.url };
    const added = await cli(
      ...['backend', 'add', 'aws', '--kind', 'aws', '--auth', 'static', '--sync-path', 'team/*', ...set(members)],
      ...set({ 'auth.access_key_id': accessKeyId, 'auth.secret_access_key': secretAccessKey }),
      ...['--set', 'recovery_window_days:=7', '--max-versions', '3'],
    );
    expect(added).toMatchObject({ code: 0, stderr: expect.any(String) });
    expect(added.stdout + added.stderr).not.toContain(secretAccessKey);
    const shown = JSON.parse((await cli('backend', 'show', 'aws', '--json')).stdout);
    expect(shown).toMatchObject({ max_versions: 3, config: { region: aws.region, recovery_window_days: 7 } });
    expect((await cli('backend', 'test', 'aws')).stdout).toContain(
      `its container (${aws.account}/${aws.region}) is there`,
    );
    expect((await cli('sync', 'aws', '--wait')).code).toBe(0);
    expect((await cli('keys', 'list', '--backend', 'aws')).stdout).toContain('team/openai');
  });

  test('takes a key file by its name, and says which member is wrong', async () => {
    gcp.secrets().put('team--openai', 'not-a-key');
    const file = join(folder, 'account.json');
    writeFileSync(file, gcp.identities.keyFile(gcp.owner));
    const add = (name: string, members: Record<string, string>) =>
      cli('backend', 'add', name, '--kind', 'gcp', '--auth', 'service_account', ...set(members));
    const wrong = await add('gcp', { project_id: gcp.projectId, 'auth.credentials_json': '{}' });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('credentials_json');
    const members = { project_id: gcp.projectId, endpoint: gcp.url, 'auth.credentials_json': `@${file}` };
    expect((await add('gcp', members)).code).toBe(0);
    expect((await cli('backend', 'test', 'gcp')).code).toBe(0);
  });

  test.for([
    ['region', 'is not <member>=<text>'],
    ['=canary', 'is not <member>=<text>'],
    ['Region=canary', 'is not <member>=<text>'],
    ['recovery_window_days:=canary', 'is not followed by JSON'],
    ['auth.credentials_json=@/nowhere/canary', 'can’t be read'],
  ])('--set %s is refused, and what may be a secret not repeated', async ([entry, words]) => {
    const refused = await cli('backend', 'add', 'x', '--kind', 'aws', '--set', entry as string);
    expect(refused.code).toBe(2);
    expect(refused.stderr.replaceAll('’', "'")).toContain((words as string).replaceAll('’', "'"));
    if (!entry?.includes('@')) expect(refused.stderr).not.toContain('canary');
  });
});

describe('backend policy', () => {
  test.for([
    ['hashicorp', 'capabilities', 'create'],
    ['aws', 'secretsmanager:ListSecrets', 'secretsmanager:PutSecretValue'],
    ['gcp', 'secretmanager.versions.access', 'secretmanager.versions.add'],
    ['azure', 'Key Vault Secrets User', 'setSecret'],
  ])('prints what %s has to allow, for reading and for writing', async ([kind = '', read = '', write = '']) => {
    const { stdout, code } = await cli('backend', 'policy', kind);
    expect(code).toBe(0);
    expect(stdout).toContain(read);
    expect((await cli('backend', 'policy', kind, '--write')).stdout).toContain(write);
  });

  test('names the kinds there are', async () => {
    const { stderr, code } = await cli('backend', 'policy', 'vault9000');
    expect(code).not.toBe(0);
    expect(stderr).toContain('hashicorp, aws, gcp, azure');
  });
});
