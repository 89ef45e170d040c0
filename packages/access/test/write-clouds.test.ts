import { randomBytes } from 'node:crypto';
import { startAwsEmulator, startAzureEmulator, startGcpEmulator } from '@keyferry/emulators';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, openWritingHouse, type WritingHouse } from './support/writing.ts';

/** Writes through to the clouds' vaults, each with its own ways. */

let house: WritingHouse;
beforeEach(async () => {
  house = await openWritingHouse();
});
afterEach(() => house.close());

type Settings = NonNullable<Parameters<WritingHouse['addBackend']>[0]>;

/** A vault behind our back, by local paths without its separator. */
interface Cloud {
  settings: Settings;
  read(path: string): string | undefined;
  write(path: string, value: string): void;
  isRemoved(path: string): boolean;
  close(): Promise<void>;
}

const slashed = (path: string) => path.replaceAll('/', '--');
const now = () => house.clock.now().getTime();

const clouds: Record<string, () => Promise<Cloud>> = {
  async aws() {
    const vault = await startAwsEmulator({ now });
    return {
      settings: {
        kind: 'aws',
        config: { region: vault.region, endpoint: vault.url, sts_endpoint: vault.url },
        auth: {
          method: 'static',
          access_key_id: vault.operator.accessKeyId,
          secret_access_key: vault.operator.secretAccessKey,
        },
      },
      read: (path) => vault.secrets.get(path)?.value?.toString(),
      write: (path, value) => void vault.secrets.put(path, value),
      isRemoved: (path) => vault.secrets.get(path)?.deletesAt != null,
      close: () => vault.close(),
    };
  },
  async gcp() {
    const vault = await startGcpEmulator({ now });
    return {
      settings: {
        kind: 'gcp',
        config: { project_id: vault.projectId, endpoint: vault.url },
        auth: { method: 'service_account', credentials_json: vault.identities.keyFile(vault.owner) },
      },
      read: (path) => vault.secrets().get(slashed(path))?.value.toString(),
      write: (path, value) => void vault.secrets().put(slashed(path), value),
      isRemoved: (path) => vault.secrets().get(slashed(path)) === undefined,
      close: () => vault.close(),
    };
  },
  async azure() {
    const vault = await startAzureEmulator({ now });
    const client = vault.applications.register();
    return {
      settings: {
        kind: 'azure',
        config: {
          vault_url: vault.url,
          authority_host: vault.authorityUrl,
          ...(vault.caCert !== '' && { tls: { ca_cert: vault.caCert } }),
        },
        auth: {
          method: 'client_secret',
          tenant_id: vault.tenantId,
          client_id: client,
          client_secret: vault.applications.addSecret(client),
        },
      },
      read: (path) => vault.secrets.get(slashed(path))?.value,
      write: (path, value) => void vault.secrets.put(slashed(path), value),
      isRemoved: (path) => vault.secrets.get(slashed(path)) === null,
      close: () => vault.close(),
    };
  },
};

for (const [name, open] of Object.entries(clouds))
  describe(name, () => {
    let cloud: Cloud;
    beforeEach(async () => {
      cloud = await open();
    });
    afterEach(() => cloud.close());

    const add = () => house.addWritable({ sync_paths: ['**'], ...cloud.settings });

    test('a secret is created, read by a cycle as it was written, and given another value', async () => {
      const backend = await add();
      expect(await house.put('team/new', 'one')).toMatchObject({ version: 1, created: true, owned: true });
      expect(cloud.read('team/new')).toBe('one');
      expect((await house.cycle(backend)).counts).toMatchObject({ discovered: 1, unchanged: 1 });
      house.clock.advance(5);
      expect(await house.put('team/new', 'two')).toMatchObject({ version: 2, created: false, owned: true });
      expect(cloud.read('team/new')).toBe('two');
      expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 1 });
      expect(await house.value('team/new')).toBe('two');
    });

    test('what others wrote meanwhile is not overwritten', async () => {
      const backend = await add();
      cloud.write('team/a', 'one');
      await house.cycle(backend);
      house.clock.advance(5);
      cloud.write('team/a', 'theirs');
      cloud.write('team/unknown', 'theirs');
      expect(await codeOf(house.put('team/a', 'ours'))).toBe('write_conflict');
      expect(await codeOf(house.put('team/unknown', 'ours'))).toBe('write_conflict');
      expect(await codeOf(house.put('team/unknown', 'theirs'))).toBe('write_conflict');
      expect([cloud.read('team/a'), cloud.read('team/unknown')]).toEqual(['theirs', 'theirs']);
      await house.cycle(backend);
      expect(await house.value('team/a')).toBe('theirs');
      expect(await house.row('team/unknown')).toMatchObject({ owned: false });
    });

    test('what Keyferry made is removed, and can be made again', async () => {
      const backend = await add();
      await house.put('team/a', 'one');
      expect(await house.remove('team/a')).toMatchObject({ removedFrom: 'vault' });
      expect(cloud.isRemoved('team/a')).toBe(true);
      expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 0 });
      expect(await house.states()).toEqual({ 'team/a': 'archived' });
      house.clock.advance(5);
      expect(await house.put('team/a', 'two')).toMatchObject({ version: 2, owned: true });
      expect(cloud.read('team/a')).toBe('two');
      expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 1 });
    });

    test('a value that this vault takes no more of is refused by its size, and leaves nothing', async () => {
      await add();
      expect(await codeOf(house.put('team/large', randomBytes(100_000).toString('hex')))).toBe('value_not_writable');
      expect([await house.keys(), await house.intents()]).toEqual([[], []]);
    });
  });

test('what a vault can’t bring back is backed up here, whatever the settings say', async () => {
  const cloud = await clouds.gcp?.();
  if (!cloud) throw new Error('there is no such cloud');
  await house.addWritable({ sync_paths: ['**'], backup_deprecated_keys: false, ...cloud.settings });
  await house.put('team/a', 'one');
  await house.remove('team/a');
  expect(await house.read((tx) => tx.selectFrom('backups').select('local_path').execute())).toHaveLength(1);
  await cloud.close();
});

test('a vault without versions is looked at before it is written', async () => {
  house.vault.mounts.enable('plain', { type: 'kv', version: 1 });
  const backend = await house.addWritable({ config: { address: house.vault.url, mount: 'plain' } });
  const kv = house.vault.kv('plain');
  expect(await house.put('bifrost/a', 'one')).toMatchObject({ version: 1, remoteVersion: null, owned: true });
  expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 1 });
  expect(await house.put('bifrost/a', 'two')).toMatchObject({ version: 2 });
  kv.put('bifrost/a', { value: 'theirs' });
  expect(await codeOf(house.put('bifrost/a', 'three'))).toBe('write_conflict');
  expect(kv.get('bifrost/a')?.data).toBe('{"value":"theirs"}');
  await house.cycle(backend);
  expect(await house.put('bifrost/a', 'three')).toMatchObject({ version: 4 });
});
