import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { CycleCounts } from '@keyferry/core';
import { addsUp } from '@keyferry/core';
import { type AwsEmulator, startAwsEmulator } from '@keyferry/emulators';
import { type Key, listVersions } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { everyColumn, formsOf } from '../support/every-column.ts';
import { type House, openHouse } from '../support/house.ts';

/** The federation guide, row by row: what it says of the two modes, and of what federation can't do. */

const canary = 'canary-of-the-guide-5d31';

let house: House;
let aws: AwsEmulator;
beforeEach(async () => {
  house = await openHouse();
  aws = await startAwsEmulator({ now: () => house.clock.now().getTime() });
});
afterEach(async () => {
  await aws.close();
  await house.close();
});

const kv = () => house.vault.kv('secret');
const awsBackend = (settings: Parameters<House['addBackend']>[0] = {}) =>
  house.addBackend({
    kind: 'aws',
    config: { region: aws.region, endpoint: aws.url, sts_endpoint: aws.url },
    auth: {
      method: 'static',
      access_key_id: aws.operator.accessKeyId,
      secret_access_key: aws.operator.secretAccessKey,
    },
    sync_paths: ['**'],
    ...settings,
  });
const keyAt = async (path: string) => (await house.keys()).find(({ local_path }) => local_path === path) as Key;

async function storedForms(): Promise<string[]> {
  const stored = await everyColumn(house.database.ownerUrl);
  return formsOf(canary).filter((form) => stored.includes(form));
}

describe('Freshness', () => {
  test('Sync: bounded by sync_interval', async () => {
    kv().put('bifrost/a', { value: 'old' });
    const backend = await house.addBackend({ sync_interval_seconds: 300 });
    await house.cycle(backend);
    kv().put('bifrost/a', { value: 'new' });
    // By then it is due, wherever in the interval its place is.
    house.clock.advance(300);
    expect(await house.claimDue()).toBe(1);
    const open = await house.read((tx) =>
      tx.selectFrom('cycles').select('id').orderBy('opened_at', 'desc').executeTakeFirstOrThrow(),
    );
    await house.reconcile();
    expect(await house.ended(open.id)).toMatchObject({ trigger: 'schedule', counts: { updated: 1 } });
    expect(await house.value('bifrost/a')).toBe('{"value":"new"}');
  });
});

describe('Data at rest', () => {
  test('Proxy: nowhere, neither by cycles nor of what was there before', async () => {
    kv().put('bifrost/a', { value: canary });
    const backend = await house.addBackend({ mode: 'proxy' });
    await house.cycle(backend);
    await house.cycle(backend);
    expect(await storedForms()).toEqual([]);
    expect(await everyColumn(house.database.ownerUrl)).not.toContain('bifrost/a');
  });

  test('Sync: encrypted', async () => {
    kv().put('bifrost/a', { value: canary });
    await house.cycle(await house.addBackend());
    expect(await house.value('bifrost/a')).toBe(`{"value":"${canary}"}`);
    expect(await storedForms()).toEqual([]);
  });
});

describe('Path format compatibility', () => {
  test.each([
    ['a vault’s', () => kv(), () => house.addBackend(), 'bifrost/line\nbreak'],
    ['AWS’s', () => aws.secrets, awsBackend, 'bifrost/team//db'],
  ] as const)(
    '%s paths that are none here are logged, skipped and named in the report',
    async (_, secrets, add, bad) => {
      secrets().put(bad, '{"value":"1"}');
      secrets().put('bifrost/fine', '{"value":"2"}');
      const lines: { message: string; fields: object }[] = [];
      house.services.log = { ...house.services.log, warn: (fields, message) => lines.push({ message, fields }) };

      const cycle = await house.cycle(await add());
      expect(cycle).toMatchObject({ state: 'completed', issues: 1, counts: { discovered: 2, added: 1, skipped: 1 } });
      expect(addsUp(cycle.counts as CycleCounts)).toBe(true);
      expect(Object.keys(await house.states())).toEqual(['bifrost/fine']);
      expect(await house.issues(cycle.id)).toMatchObject([
        { remote_path: expect.stringContaining(bad.slice(-2)), outcome: 'skipped', code: 'path_incompatible' },
      ]);
      expect(lines).toMatchObject([
        {
          message: 'secrets were skipped',
          fields: { cycle_id: cycle.id, count: 1, skipped: [{ remote_path: bad, code: 'path_incompatible' }] },
        },
      ]);
    },
  );

  test('however many there are, they are one line of the log, with the first of them', async () => {
    kv().seed(30, (index) => ({ path: `bifrost/${index}\n`, data: { value: '1' } }));
    const lines: object[] = [];
    house.services.log = { ...house.services.log, warn: (fields) => lines.push(fields) };
    const cycle = await house.cycle(await house.addBackend());
    expect(await house.issues(cycle.id)).toHaveLength(30);
    expect(lines).toMatchObject([{ count: 30, skipped: { length: 20 } }]);
  });
});

describe('Metadata translation', () => {
  test('custom metadata is preserved', async () => {
    kv().put('bifrost/a', { value: '1' }, { customMetadata: { owner: 'ops', team: 'blue' } });
    aws.secrets.put('b', '1', { tags: { owner: 'ops', team: 'red' } });
    await house.cycle(await house.addBackend());
    await house.cycle(await awsBackend());
    expect((await keyAt('bifrost/a')).metadata).toEqual({ owner: 'ops', team: 'blue' });
    expect((await keyAt('b')).metadata).toEqual({ owner: 'ops', team: 'red' });
  });

  test('AWS’s KmsKeyId is not', async () => {
    const client = new SecretsManagerClient({
      region: aws.region,
      endpoint: aws.url,
      credentials: { accessKeyId: aws.operator.accessKeyId, secretAccessKey: aws.operator.secretAccessKey },
    });
    const [KmsKeyId, Tags] = ['alias/team-key-73', [{ Key: 'owner', Value: 'ops' }]];
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: '1', KmsKeyId, Tags, Description: 'Of a' }));
    client.destroy();
    expect(aws.secrets.get('a')?.kmsKeyId).toBe(KmsKeyId);
    await house.cycle(await awsBackend());
    expect((await keyAt('a')).metadata).toEqual({ owner: 'ops' });
    expect(await everyColumn(house.database.ownerUrl)).not.toContain(KmsKeyId);
  });

  test('Vault’s cas is not', async () => {
    kv().put('bifrost/a', { value: '1' }, { customMetadata: { owner: 'ops' } });
    const answer = await fetch(`${house.vault.url}/v1/secret/metadata/bifrost/a`, {
      method: 'POST',
      headers: { 'x-vault-token': house.vault.rootToken },
      body: JSON.stringify({ cas_required: true, max_versions: 7 }),
    });
    expect(answer.ok).toBe(true);
    await house.cycle(await house.addBackend());
    expect((await keyAt('bifrost/a')).metadata).toEqual({ owner: 'ops' });
    expect(await everyColumn(house.database.ownerUrl)).not.toContain('cas_required');
  });
});

describe('Version history', () => {
  const versionsOf = async (path: string) => {
    const { id } = await keyAt(path);
    return await house.read((tx) => listVersions(tx, id));
  };

  test('of Vault’s KV 2 it is kept by sync', async () => {
    for (const value of ['1', '2', '3']) {
      kv().put('bifrost/a', { value });
      house.clock.advance(60);
    }
    await house.cycle(await house.addBackend({ version_history: true }));
    expect(await versionsOf('bifrost/a')).toMatchObject([
      { version: 3, remote_version: '3' },
      { version: 2, remote_version: '2' },
      { version: 1, remote_version: '1' },
    ]);
    expect(await house.value('bifrost/a')).toBe('{"value":"3"}');
  });

  test('of AWS’s labels AWSCURRENT is the current version, and AWSPREVIOUS the one before', async () => {
    const first = aws.secrets.put('a', 'one');
    house.clock.advance(60);
    const second = aws.secrets.put('a', 'two');
    house.clock.advance(60);
    aws.secrets.put('a', 'not yet', { stages: ['AWSPENDING'] });
    await house.cycle(await awsBackend({ version_history: true }));
    expect(await versionsOf('a')).toMatchObject([
      { version: 2, remote_version: second },
      { version: 1, remote_version: first },
    ]);
    expect(await house.value('a')).toBe('two');
  });
});
