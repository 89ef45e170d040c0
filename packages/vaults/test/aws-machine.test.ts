import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { everything, setVariables, startAwsBench, staticAuth } from './aws-harness.ts';
import { failureOf, patient, readOne } from './support.ts';

/** A machine that has nothing of Amazon's, whatever this one has. */
beforeEach(() => {
  const names = Object.keys(process.env).filter((name) => name.startsWith('AWS_'));
  setVariables(Object.fromEntries(names.map((name) => [name, undefined])));
  setVariables({ AWS_CONFIG_FILE: '/nonexistent', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent' });
});

async function benchWithRole(now?: () => number) {
  const bench = await startAwsBench(now && { now });
  const { vault } = bench;
  vault.secrets.put('a', 'x');
  const role = vault.identities.createRole('machine', { statements: [everything], trust: {} });
  const asked = () => vault.requests.all.map(({ method, path }) => `${method} ${path}`);
  return { ...bench, role, asked };
}

describe('an instance', () => {
  async function onInstance() {
    const bench = await benchWithRole();
    setVariables({ AWS_EC2_METADATA_SERVICE_ENDPOINT: `${bench.vault.url}/` });
    bench.vault.setInstanceRole(bench.role);
    return bench;
  }

  test('gives its role’s credentials, by the second version of the metadata alone', async () => {
    const { connect, asked } = await onInstance();
    await readOne(await connect({ auth: { method: 'instance' } }), 'a');
    expect(asked().slice(0, 3)).toEqual([
      'PUT /latest/api/token',
      'GET /latest/meta-data/iam/security-credentials/',
      'GET /latest/meta-data/iam/security-credentials/machine',
    ]);
  });

  test('tells its region where none is set', async () => {
    const { connect, vault, asked } = await onInstance();
    const backend = await connect({ region: undefined, auth: { method: 'instance' } });
    expect(vault.requests.total).toBe(0);
    expect((await backend.probe(patient)).containerId).toBe('111122223333/us-east-1');
    await readOne(backend, 'a');
    expect(asked().filter((request) => request.endsWith('placement/region'))).toHaveLength(1);
  });

  test('gives new credentials before the old ones end', async () => {
    const { connect, vault, clock } = await onInstance();
    const backend = await connect({ auth: { method: 'instance' } });
    for (let hour = 0; hour < 13; hour++) {
      await readOne(backend, 'a');
      clock.advance(3600);
    }
    expect(vault.requests.all.every(({ status }) => status === 200)).toBe(true);
  });

  test('without a role is said to have none', async () => {
    const { connect, vault } = await onInstance();
    vault.setInstanceRole(null);
    const failure = await failureOf(readOne(await connect({ auth: { method: 'instance' } }), 'a'));
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    expect(failure.message).toContain('no role is attached');
  });

  test('whose metadata are turned off is not asked', async () => {
    const { connect, vault } = await onInstance();
    setVariables({ AWS_EC2_METADATA_DISABLED: 'true' });
    const failure = await failureOf(readOne(await connect({ auth: { method: 'instance' } }), 'a'));
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    expect(vault.requests.total).toBe(0);
  });

  test.for([
    [{ kind: 'status', status: 403 }, 'unauthenticated'],
    [{ kind: 'status', status: 503 }, 'unavailable'],
    [{ kind: 'reset' }, 'unavailable'],
    [{ kind: 'garbage', body: '<html>' }, 'invalid'],
  ] as const)('whose metadata answer %j fails as %s', async ([effect, failureClass]) => {
    const { connect, vault } = await onInstance();
    vault.faults.inject({ effect, path: '/latest/*' });
    const backend = await connect({ auth: { method: 'instance' } });
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ failureClass: expect.stringMatching(failureClass) });
  });

  test('an abort ends what is asked of it at once, and leaves no socket', async () => {
    const { connect, vault, context } = await onInstance();
    const begun = Promise.withResolvers<void>();
    vault.faults.inject({ effect: { kind: 'hang' }, path: '/latest/meta-data/*', when: () => begun.resolve() ?? true });
    const controller = new AbortController();
    // The login is the connection's, and goes on for others: closing ends it.
    const backend = await connect({ auth: { method: 'instance' } }, context);
    const asked = failureOf(backend.probe(controller.signal));
    await begun.promise;
    const reason = new Error('given up');
    controller.abort(reason);
    expect(await asked).toBe(reason);
    await backend.close();
    await expect.poll(() => vault.openSockets()).toBe(0);
  });
});

describe('a container', () => {
  test('gets its credentials where the platform says, with its token', async () => {
    const { connect, vault, role, asked } = await benchWithRole();
    vault.setContainerRole(role, 'platform token');
    setVariables({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${vault.url}/container/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'platform token',
    });
    await readOne(await connect({ auth: { method: 'container' } }), 'a');
    expect(asked()[0]).toBe('GET /container/credentials');
  });

  test('reads its token from the file that the platform renews', async () => {
    const { connect, vault, role, clock } = await benchWithRole();
    const file = join(temporaryFolder(), 'token');
    setVariables({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${vault.url}/container/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    });
    const backend = await connect({ auth: { method: 'container' } });
    expect((await failureOf(readOne(backend, 'a'))).message).toContain('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
    for (const token of ['first', 'second']) {
      clock.advance(6 * 3600);
      vault.setContainerRole(role, token);
      writeFileSync(file, `${token}\n`);
      await readOne(backend, 'a');
    }
  });

  test('whose platform refuses is refused', async () => {
    const { connect, vault, role } = await benchWithRole();
    vault.setContainerRole(role, 'platform token');
    setVariables({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${vault.url}/container/credentials` });
    expect(await failureOf(readOne(await connect({ auth: { method: 'container' } }), 'a'))).toMatchObject({
      code: 'vault_unauthenticated',
    });
  });

  test('sends its token to no other machine in the clear', async () => {
    const { connect } = await benchWithRole();
    const failing = async () => failureOf(readOne(await connect({ auth: { method: 'container' } }), 'a'));
    expect((await failing()).message).toContain('is set');
    setVariables({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://credentials.example.com/',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'canary',
    });
    expect(await failing()).toMatchObject({
      code: 'vault_unauthenticated',
      message: expect.stringContaining('leads to another machine unencrypted'),
    });
  });
});

describe('whatever the machine has', () => {
  test('variables are found', async () => {
    const { connect, vault } = await benchWithRole();
    const { accessKeyId, secretAccessKey } = vault.operator;
    setVariables({ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    await readOne(await connect({ auth: { method: 'default' } }), 'a');
  });

  test('shared files are found', async () => {
    const { connect, vault } = await benchWithRole();
    const file = join(temporaryFolder(), 'credentials');
    const { accessKeyId, secretAccessKey } = vault.operator;
    writeFileSync(file, `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\n`);
    setVariables({ AWS_SHARED_CREDENTIALS_FILE: file, AWS_EC2_METADATA_DISABLED: 'true' });
    await readOne(await connect({ auth: { method: 'default' } }), 'a');
  });

  test('the instance is found, and a role follows', async () => {
    // The SDK's chain goes by the machine's clock.
    const { connect, vault, role, context } = await benchWithRole(Date.now);
    setVariables({ AWS_EC2_METADATA_SERVICE_ENDPOINT: vault.url });
    vault.setInstanceRole(role);
    const next = vault.identities.createRole('next', { statements: [everything], trust: { principals: [role] } });
    const backend = await connect({ auth: { method: 'default', role_arn: next } }, { ...context, now: Date.now });
    expect((await backend.probe(patient)).container).toBe('present');
    expect(vault.requests.counts.AssumeRole).toBe(1);
  });

  test('nothing is said to be nothing', async () => {
    const { connect } = await benchWithRole();
    setVariables({ AWS_EC2_METADATA_DISABLED: 'true' });
    const failure = await failureOf(readOne(await connect({ auth: { method: 'default' } }), 'a'));
    expect(failure).toMatchObject({ code: 'vault_unauthenticated' });
    expect(failure.message).toContain('find credentials on this machine');
  });
});

describe('the region', () => {
  test('is the environment’s where settings have none, whatever the method', async () => {
    const { connect, vault } = await benchWithRole();
    vault.at({ region: 'eu-central-1' }).put('b', 'y');
    setVariables({ AWS_DEFAULT_REGION: 'us-east-1' });
    await readOne(await connect({ region: undefined }), 'a');
    setVariables({ AWS_REGION: 'eu-central-1' });
    await readOne(await connect({ region: undefined }), 'b');
    await readOne(await connect({ region: 'us-east-1' }), 'a');
  });

  test('is missing where nothing tells it, and the machine is not asked for a tenant’s keys', async () => {
    const { connect, vault } = await benchWithRole();
    setVariables({ AWS_EC2_METADATA_SERVICE_ENDPOINT: vault.url });
    const failure = await failureOf(connect({ region: undefined, auth: staticAuth(vault.operator) }));
    expect(failure).toMatchObject({ code: 'config_invalid', message: expect.stringContaining('set region') });
    setVariables({ AWS_REGION: 'atlantis-1' });
    expect(await failureOf(connect({ region: undefined }))).toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('AWS_REGION must be the name of an AWS region'),
    });
    expect(vault.requests.total).toBe(0);
  });

  test('that AWS has not is told where its host is looked up', async () => {
    const { connect } = await benchWithRole();
    const failure = await failureOf(readOne(await connect({ region: 'us-west-9', endpoint: undefined }), 'a'));
    expect(failure).toMatchObject({ failureClass: 'unavailable', message: expect.stringContaining('check region') });
  });
});

test('the environment leads no request elsewhere', async () => {
  const { connect, vault } = await benchWithRole();
  setVariables({
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:1',
    AWS_USE_FIPS_ENDPOINT: 'true',
    AWS_USE_DUALSTACK_ENDPOINT: 'true',
    AWS_MAX_ATTEMPTS: '10',
    AWS_RETRY_MODE: 'adaptive',
  });
  await readOne(await connect(), 'a');
  const elsewhere = await connect({ region: 'us-west-9', endpoint: undefined });
  expect((await failureOf(readOne(elsewhere, 'a'))).message).toContain('check region');
  vault.faults.inject({ effect: { kind: 'reset' } });
  const before = vault.requests.total;
  await failureOf(readOne(await connect(), 'a'));
  expect(vault.requests.total - before).toBe(1);
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-aws-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
