import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type MasterKeySource, masterKeyVariables } from '@keyferry/core';
import { type AwsEmulator, startAwsEmulator, startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createKeyring, type KeyManager, loadMasterKey } from '../src/index.ts';
import { masterKeyOf, SealedStore, tenantId } from './support/sealed-store.ts';

/** Master keys that are kept elsewhere, over the wire. */

let sealed: SealedStore;
let vault: VaultEmulator;
let aws: AwsEmulator;

beforeEach(async () => {
  sealed = await SealedStore.open();
  vault = await startVaultEmulator();
  vault.transit('transit').create('keyferry');
  vault.policies.write('keyferry', {
    'transit/encrypt/keyferry': ['update'],
    'transit/decrypt/keyferry': ['update'],
  });
  aws = await startAwsEmulator();
  vi.stubEnv('AWS_ACCESS_KEY_ID', aws.operator.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', aws.operator.secretAccessKey);
  vi.stubEnv('AWS_REGION', aws.region);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all([sealed.close(), vault.close(), aws.close()]);
});

const transit = (name = 'keyferry', more: object = {}) => ({
  transit: {
    url: `${vault.url}/v1/transit/keys/${name}`,
    token: vault.tokens.create({ policies: ['keyferry'] }),
    ...more,
  },
});

function kms(key = aws.kms.create().arn) {
  return { kms: { key, endpoint: aws.url } };
}

const started = async (source: MasterKeySource): Promise<KeyManager> =>
  createKeyring(sealed.store, await loadMasterKey(sealed.store, source));

const failureOf = async (work: Promise<unknown>): Promise<Error & { code?: string }> => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error;
};

const sources = { transit: () => transit(), kms: () => kms() };

describe.each(['transit', 'kms'] as const)('a master key by %s', (kind) => {
  let source: MasterKeySource;
  let first: KeyManager;

  beforeEach(async () => {
    source = sources[kind]();
    first = await started(source);
    await sealed.addSettings(await first.ofTenant(tenantId));
    await sealed.put(await first.ofTenant(tenantId), ['p/0']);
  });

  /** All that the provider is asked for. */
  const struck = () =>
    kind === 'transit'
      ? vault.faults.inject({ effect: { kind: 'status', status: 503, body: { errors: ['canary-words'] } } })
      : aws.faults.inject({ effect: { kind: 'status', status: 503, body: { message: 'canary-words' } } });

  test('opens what it has wrapped in another process, and tells which key it is and nothing about it', async () => {
    const other = await started(source);
    expect(await sealed.read(other, 'p/0')).toBe('value of p/0');
    expect(other.masterKeys.current.id).toMatch(new RegExp(`^${kind}-[0-9a-f]{16}$`));
  });

  test('is asked once for each data key and process, however much is read', async () => {
    const { requests } = kind === 'transit' ? vault : aws;
    const other = await started(source);
    await other.ofTenant(tenantId);
    const before = requests.total;
    for (let round = 0; round < 20; round++) await sealed.read(other, 'p/0');
    expect(requests.total).toBe(before);
  });

  test('a wrapped key that was moved to another tenant, or altered, is refused', async () => {
    const other = crypto.randomUUID();
    await sealed.store.asOperator((tx) => tx.insertInto('tenants').values({ id: other, name: 'other' }).execute());
    await (await started(source)).ofTenant(other);
    const rows = await sealed.store.inTenant(tenantId, (tx) => tx.selectFrom('encryption_keys').selectAll().execute());
    const write = (change: (wrapped: Buffer) => Buffer) =>
      sealed.store.inTenant(other, async (tx) => {
        for (const { purpose, wrapped } of rows)
          await tx
            .updateTable('encryption_keys')
            .set({ wrapped: change(wrapped) })
            .where('purpose', '=', purpose)
            .execute();
      });
    const altered = (wrapped: Buffer) => {
      const copy = Buffer.from(wrapped);
      copy[copy.length - 9] = wrapped.at(-9) === 65 ? 66 : 65;
      return copy;
    };
    for (const change of [(wrapped: Buffer) => wrapped, altered, () => Buffer.from('x')]) {
      await write(change);
      const opening = started(source).then((process) => process.ofTenant(other));
      await expect(opening).rejects.toMatchObject({ code: 'decryption_failed' });
    }
  });

  test('being away fails no read of a tenant that is open; others are told so without its words, until it is back', async () => {
    const other = await started(source);
    const fault = struck();
    expect(await sealed.read(first, 'p/0')).toBe('value of p/0');
    for (const work of [() => other.ofTenant(tenantId), () => started(source)]) {
      const error = await failureOf(work());
      expect(error.code).toBe('key_provider_unavailable');
      expect(inspect(error, { depth: 10 })).not.toContain('canary-words');
    }
    fault.remove();
    await vi.waitFor(async () => expect(await sealed.read(other, 'p/0')).toBe('value of p/0'), { timeout: 5_000 });
  });

  test('is rotated into from a local one, and out of again', async () => {
    const local = { text: masterKeyOf(9) };
    expect(await sealed.rewrap(await started({ ...local, previous: source }))).toMatchObject({ wrapped: 2 });
    expect(await sealed.read(await started(local), 'p/0')).toBe('value of p/0');
    await expect(started(source)).rejects.toMatchObject({ code: 'master_key_mismatch' });
    expect(await sealed.rewrap(await started({ ...source, previous: local }))).toMatchObject({ wrapped: 2 });
    expect(await sealed.read(await started(source), 'p/0')).toBe('value of p/0');
  });

  test('no data key is in what goes wrong, nor the token', async () => {
    const error = await failureOf(first.masterKeys.current.unwrap(Buffer.from('vault:v1:AAAA'), 'x'));
    expect(error).toMatchObject({ code: 'decryption_failed' });
    expect(inspect(first, { depth: 10, showHidden: true })).not.toContain(source.transit?.token ?? '\0');
    expect(inspect(error, { depth: 10 })).not.toContain(source.transit?.token ?? '\0');
  });
});

test('a transit key that was rotated in its vault goes on opening what its versions have wrapped', async () => {
  const source = transit();
  const before = await started(source);
  await sealed.addSettings(await before.ofTenant(tenantId));
  await sealed.put(await before.ofTenant(tenantId), ['p/0']);
  const key = vault.transit('transit').create('keyferry');
  vault.transit('transit').rotate(key);
  const after = await started(source);
  expect(await sealed.read(after, 'p/0')).toBe('value of p/0');
  expect((await after.masterKeys.current.wrap(Buffer.alloc(32), 'x')).toString()).toMatch(/^vault:v2:/);
  key.minDecryptionVersion = 2;
  await expect(started(source)).rejects.toMatchObject({ code: 'decryption_failed' });
});

test('a transit key that derives others for each context is one as well', async () => {
  vault.transit('transit').create('derived', true);
  vault.policies.write('keyferry', { 'transit/+/derived': ['update'] });
  const source = transit('derived');
  await sealed.addSettings(await (await started(source)).ofTenant(tenantId));
  await (await started(source)).ofTenant(tenantId);
});

test('the token of the transit engine is read from its file again at each use', async () => {
  const folder = temporaryFolder('token');
  const tokenFile = join(folder.path, 'token');
  const token = vault.tokens.create({ policies: ['keyferry'] });
  await writeFile(tokenFile, `${token}\n`);
  const process = await started(transit('keyferry', { token: undefined, tokenFile }));
  vault.tokens.revoke(token);
  expect(await failureOf(process.ofTenant(tenantId))).toMatchObject({ code: 'key_provider_unavailable' });
  await writeFile(tokenFile, vault.tokens.create({ policies: ['keyferry'] }));
  await vi.waitFor(() => process.ofTenant(tenantId), { timeout: 5_000 });
  folder.remove();
});

test.each([
  ['redirects elsewhere', { kind: 'status', status: 307, headers: { location: 'http://127.0.0.1:9/' } }],
  ['resets the connection', { kind: 'reset' }],
  ['answers with something else', { kind: 'garbage' }],
  ['answers without a plaintext', { kind: 'status', status: 200, body: { data: {} } }],
  ['breaks off', { kind: 'truncate' }],
] as const)('a transit engine that %s is not believed', async (_what, effect) => {
  const { current } = (await started(transit())).masterKeys;
  const wrapped = await current.wrap(Buffer.alloc(32, 1), 'x');
  vault.faults.inject({ path: 'transit/decrypt/*', effect });
  await expect(current.unwrap(wrapped, 'x')).rejects.toMatchObject({ code: 'key_provider_unavailable' });
});

test('a transit key that isn’t there, a token that may not use it and a vault that is sealed are told apart in our words', async () => {
  const missing = await failureOf(started(transit('nobody')));
  expect(missing).toMatchObject({
    code: 'key_provider_unavailable',
    message: expect.stringContaining('refused the token'),
  });
  vault.seal();
  expect(await failureOf(started(transit()))).toMatchObject({ message: expect.stringContaining('HTTP status 503') });
});

test.each([
  ['is disabled', 'Disabled', 'The master key is disabled'],
  ['is about to be deleted', 'PendingDeletion', 'can’t be used'],
] as const)('a key of KMS that %s can’t be used, and can be once it is back', async (_what, state, words) => {
  const key = aws.kms.create();
  const { current } = (await started(kms(key.arn))).masterKeys;
  const wrapped = await current.wrap(Buffer.alloc(32, 1), 'x');
  key.state = state;
  for (const work of [() => current.unwrap(wrapped, 'x'), () => current.wrap(Buffer.alloc(32), 'x')])
    expect(await failureOf(work())).toMatchObject({
      code: 'key_provider_unavailable',
      message: expect.stringContaining(words),
    });
  key.state = 'Enabled';
  expect(await current.unwrap(wrapped, 'x')).toEqual(Buffer.alloc(32, 1));
});

test('an alias that was pointed to another key of KMS is another master key', async () => {
  aws.kms.create('alias/keyferry');
  await (await started(kms('alias/keyferry'))).ofTenant(tenantId);
  aws.kms.alias('alias/keyferry', aws.kms.create().id);
  await expect(started(kms('alias/keyferry'))).rejects.toMatchObject({ code: 'master_key_mismatch' });
});

test('what is wrapped by one key of KMS is not opened by another, and throttling is told', async () => {
  const one = (await started(kms())).masterKeys.current;
  const wrapped = await one.wrap(Buffer.alloc(32, 1), 'x');
  await expect(one.unwrap(wrapped, 'y')).rejects.toMatchObject({ code: 'decryption_failed' });
  aws.setQuota({ Decrypt: 0.0001 });
  await one.unwrap(wrapped, 'x').catch(() => null);
  expect(await failureOf(one.unwrap(wrapped, 'x'))).toMatchObject({ message: 'AWS KMS was asked too often.' });
});

test('variables name one place for a key, and all that belongs to it', () => {
  const url = 'https://vault.example:8200/v1/team/transit/keys/keyferry';
  const env = {
    KEYFERRY_MASTER_KEY_TRANSIT: url,
    KEYFERRY_MASTER_KEY_TRANSIT_TOKEN_FILE: '/run/token',
    KEYFERRY_MASTER_KEY_TRANSIT_NAMESPACE: 'ns',
    KEYFERRY_MASTER_KEY_TRANSIT_CA_FILE: '',
    KEYFERRY_MASTER_KEY_PREVIOUS_KMS: 'alias/old',
    KEYFERRY_MASTER_KEY_PREVIOUS_KMS_REGION: 'eu-central-1',
  };
  expect(masterKeyVariables(env)).toEqual({
    transit: { url, tokenFile: '/run/token', namespace: 'ns' },
    previous: { kms: { key: 'alias/old', region: 'eu-central-1' } },
  });
  expect(() => masterKeyVariables({ ...env, KEYFERRY_MASTER_KEY_FILE: 'x' })).toThrow(
    /KEYFERRY_MASTER_KEY is given as more than one/,
  );
});

test.each([
  'https://vault.example:8200/transit/keys/k',
  'vault',
  'https://u:p@v/v1/transit/keys/k',
  'ftp://v/v1/t/keys/k',
])('%s is no address of a transit key', async (url) => {
  await expect(started({ transit: { url, token: 'canary-token' } })).rejects.toMatchObject({ code: 'config_invalid' });
});
