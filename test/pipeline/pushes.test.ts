import { startAwsEmulator, startAzureEmulator, startGcpEmulator } from '@keyferry/emulators';
import type { BackendSettings } from '@keyferry/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { writeHere } from '../support/written.ts';

/** What was changed here reaches each kind of cloud's vault, by its own way of comparing versions. */

let house: House;
const cleanup: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  house = await openHouse();
});
afterEach(async () => {
  await house.close();
  for (const close of cleanup.splice(0)) await close();
});

const now = () => house.clock.now().getTime();

interface Cloud {
  settings: Partial<BackendSettings>;
  put(name: string, value: string): unknown;
  valueOf(name: string): unknown;
}

const clouds: Record<string, () => Promise<Cloud>> = {
  async aws() {
    const vault = await startAwsEmulator({ now });
    cleanup.push(() => vault.close());
    const { accessKeyId: access_key_id, secretAccessKey: secret_access_key } = vault.operator;
    return {
      settings: {
        kind: 'aws',
        config: { region: vault.region, endpoint: vault.url, sts_endpoint: vault.url },
        auth: { method: 'static', access_key_id, secret_access_key },
      },
      put: (name, value) => vault.secrets.put(name, value),
      valueOf: (name) => vault.secrets.get(name)?.value,
    };
  },
  async gcp() {
    const vault = await startGcpEmulator({ now });
    cleanup.push(() => vault.close());
    const secrets = vault.secrets();
    return {
      settings: {
        kind: 'gcp',
        config: { project_id: vault.projectId, endpoint: vault.url },
        auth: { method: 'service_account', credentials_json: vault.identities.keyFile(vault.owner) },
      },
      put: (name, value) => secrets.put(name, value),
      valueOf: (name) => secrets.get(name)?.value.toString(),
    };
  },
  async azure() {
    const vault = await startAzureEmulator({ now });
    cleanup.push(() => vault.close());
    const client_id = vault.applications.register();
    const client_secret = vault.applications.addSecret(client_id);
    return {
      settings: {
        kind: 'azure',
        config: { vault_url: vault.url, authority_host: vault.authorityUrl, tls: { ca_cert: vault.caCert } },
        auth: { method: 'client_secret', tenant_id: vault.tenantId, client_id, client_secret },
      },
      put: (name, value) => vault.secrets.put(name, value),
      valueOf: (name) => vault.secrets.get(name)?.value,
    };
  },
};

test.each(Object.keys(clouds))('%s gets what is ahead of it and what is only here, once', async (kind) => {
  const cloud = await (clouds[kind] as () => Promise<Cloud>)();
  for (const name of ['a', 'b']) cloud.put(name, `theirs ${name}`);
  const through = { access_mode: 'read_and_write', writes: 'write_through', conflict_policy: 'local_wins' } as const;
  const backend = await house.addBackend({ ...cloud.settings, ...through, sync_paths: ['**'] });
  await house.cycle(backend);
  house.clock.advance(60);
  await writeHere(house, { backend, path: 'a' }, 'ours');
  await writeHere(house, { backend, path: 'new' }, 'made here');
  const first = await house.cycle(backend);
  expect(await house.issues(first.id)).toEqual([]);
  expect(first.counts).toMatchObject({ ahead: 1, unchanged: 1, pushed: 2 });
  expect([cloud.valueOf('a'), cloud.valueOf('new')]).toEqual(['{"value":"ours"}', '{"value":"made here"}']);
  house.clock.advance(60);
  expect((await house.cycle(backend)).counts).toMatchObject({ discovered: 3, unchanged: 3, pushed: 0 });

  // The vault's next value is news, and what is changed on both sides at once is ours by this policy.
  cloud.put('a', 'theirs again');
  house.clock.advance(60);
  expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1, pushed: 0 });
  cloud.put('a', 'theirs at last');
  await writeHere(house, { backend, path: 'a' }, 'ours');
  house.clock.advance(60);
  expect((await house.cycle(backend)).counts).toMatchObject({ ahead: 1, pushed: 1 });
  expect(cloud.valueOf('a')).toBe('{"value":"ours"}');
  house.clock.advance(60);
  expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 3, pushed: 0, updated: 0 });
});
