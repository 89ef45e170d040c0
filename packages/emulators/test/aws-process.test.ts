import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type AwsEmulator, type SpawnedEmulator, type SpawnOptions, spawnEmulator } from '../src/index.ts';
import { askAws } from './aws-client.ts';

async function start(options: SpawnOptions): Promise<SpawnedEmulator<'aws'>> {
  const emulator = await spawnEmulator('aws', options);
  onTestFinished(() => emulator.stop());
  return emulator;
}

const ask = ({ url, credentials }: SpawnedEmulator<'aws'>, operation: string, input: object) => {
  const { region = '', access_key_id: accessKeyId = '', secret_access_key: secretAccessKey = '' } = credentials;
  const emulator = { url, region, operator: { accessKeyId, secretAccessKey } } as AwsEmulator;
  return askAws(emulator, operation, input);
};

test('it is seeded, changed and counted from outside', async () => {
  const emulator = await start({ seed: 300, settings: { region: 'eu-west-1', account: '444455556666' } });
  expect(emulator.credentials).toMatchObject({ region: 'eu-west-1', account: '444455556666' });
  const { changed } = await emulator.control('change', { share: 0.01 });
  expect(changed).toHaveLength(3);
  const read = async (SecretId = '') => (await ask(emulator, 'GetSecretValue', { SecretId })).body.SecretString;
  expect(await read('bifrost/group-0001/key-0000001')).toBe('emulated-value-of-1-version-1');
  expect(await read(changed[0])).toMatch(/-version-2$/);
  await emulator.control('change', { share: 0.01 });
  expect(await read(changed[0])).toMatch(/-version-3$/);
  expect((await emulator.control('requests', {})).counts).toEqual({ GetSecretValue: 3 });
});

test('the demo’s secrets look like keys, below one folder', async () => {
  const emulator = await start({ demo: true });
  const { body } = await ask(emulator, 'ListSecrets', { Filters: [{ Key: 'name', Values: ['demo/'] }] });
  expect(body.SecretList.length).toBeGreaterThan(5);
  expect((await ask(emulator, 'ListSecrets', {})).body.SecretList).toHaveLength(body.SecretList.length);
});

test('with a state file, secrets and keys are there again after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-emulator-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const stateFile = join(folder, 'state.json');
  const first = await start({ demo: true, stateFile });
  const written = await ask(first, 'CreateSecret', {
    Name: 'a',
    SecretBinary: '/wA=',
    Tags: [{ Key: 'owner', Value: 'search' }],
    ClientRequestToken: crypto.randomUUID(),
  });
  expect(written.status).toBe(200);
  await first.stop();
  expect(statSync(stateFile).mode & 0o777).toBe(0o600);
  const second = await start({ demo: true, stateFile });
  expect(second.credentials).toEqual(first.credentials);
  expect((await ask(second, 'GetSecretValue', { SecretId: 'a' })).body).toMatchObject({
    SecretBinary: '/wA=',
    VersionId: written.body.VersionId,
  });
  expect((await ask(second, 'DescribeSecret', { SecretId: 'a' })).body.Tags).toEqual([
    { Key: 'owner', Value: 'search' },
  ]);
});
