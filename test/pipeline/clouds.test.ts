import {
  type AwsEmulator,
  type AzureEmulator,
  type GcpEmulator,
  startAwsEmulator,
  startAzureEmulator,
  startGcpEmulator,
} from '@keyferry/emulators';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** What whole cycles make of the clouds' own ways. */

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

const now = () => house.clock.now().getTime();

describe('AWS Secrets Manager', () => {
  let vault: AwsEmulator;
  beforeEach(async () => {
    vault = await startAwsEmulator({ now });
  });
  afterEach(() => vault.close());

  const addBackend = () =>
    house.addBackend({
      kind: 'aws',
      config: { region: vault.region, endpoint: vault.url, sts_endpoint: vault.url },
      auth: {
        method: 'static',
        access_key_id: vault.operator.accessKeyId,
        secret_access_key: vault.operator.secretAccessKey,
      },
      sync_paths: ['**'],
    });

  test('a first cycle reads in batches, and an unchanged one lists alone', async () => {
    for (let index = 0; index < 45; index++) vault.secrets.put(`team/${index}`, `value ${index}`);
    const backend = await addBackend();
    expect((await house.cycle(backend)).calls).toMatchObject({ list: 1, read: 3 });
    const { calls, counts } = await house.cycle(backend);
    expect(counts).toMatchObject({ unchanged: 45 });
    expect(calls).toEqual({ probe: expect.any(Number), list: 1 });
  });

  test('AWSCURRENT that goes back to the version before brings its value back', async () => {
    const old = vault.secrets.put('a', 'old');
    const backend = await addBackend();
    await house.cycle(backend);
    house.clock.advance(60);
    vault.secrets.put('a', 'new');
    expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1 });
    house.clock.advance(60);
    vault.secrets.makeCurrent('a', old);
    expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1 });
    expect(await house.value('a')).toBe('old');
    expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 1 });
  });

  test('a listing that lags behind neither loses a key nor brings back an older value', async () => {
    vault.secrets.put('a', 'old');
    const backend = await addBackend();
    await house.cycle(backend);
    vault.secrets.freezeListing();
    house.clock.advance(60);
    vault.secrets.put('a', 'new');
    vault.secrets.put('b', 'not listed yet');
    expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 1, deprecated: 0 });
    vault.secrets.thawListing();
    expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1, added: 1 });
    expect(await house.value('a')).toBe('new');
  });

  test('a secret that is scheduled for deletion is deprecated, and comes back when it is restored', async () => {
    for (const name of ['a', 'b', 'c']) vault.secrets.put(name, name);
    const backend = await addBackend();
    await house.cycle(backend);
    vault.secrets.remove('a');
    expect((await house.cycle(backend)).counts).toMatchObject({ gone: 1, deprecated: 1 });
    vault.secrets.put('a', 'a');
    expect((await house.cycle(backend)).counts).toMatchObject({ restored: 1 });
  });

  test('binary values come as they are', async () => {
    vault.secrets.put('a', Buffer.from([0, 255, 1]));
    await house.cycle(await addBackend());
    const [key] = await house.keys();
    expect(key).toMatchObject({ content_type: 'application/octet-stream' });
  });

  test('credentials of another account answer for another container: nothing is removed', async () => {
    for (const name of ['a', 'b']) vault.secrets.put(name, name);
    const backend = await addBackend();
    await house.cycle(backend);
    const other = await startAwsEmulator({ now, account: '999988887777' });
    const port = new URL(vault.url).port;
    await vault.close();
    await other.close();
    vault = await startAwsEmulator({ now, account: '999988887777', port: Number(port) });
    const cycle = await house.cycle(backend);
    expect(cycle.state).toBe('failed');
    expect(await house.states()).toEqual({ a: 'active', b: 'active' });
  });
});

describe('Google Secret Manager', () => {
  let vault: GcpEmulator;
  beforeEach(async () => {
    vault = await startGcpEmulator({ now });
  });
  afterEach(() => vault.close());

  const addBackend = () =>
    house.addBackend({
      kind: 'gcp',
      config: { project_id: vault.projectId, endpoint: vault.url },
      auth: { method: 'service_account', credentials_json: vault.identities.keyFile(vault.owner) },
      sync_paths: ['**'],
    });

  test('unchanged values are read and written nowhere; new values and new labels are noticed', async () => {
    const secrets = vault.secrets();
    for (const id of ['team--a', 'team--b']) secrets.put(id, id, { labels: { owner: 'x' } });
    const backend = await addBackend();
    await house.cycle(backend);
    const rows = async () =>
      await house.read((tx) =>
        tx.selectFrom('keys').select(['local_path', 'row_version', 'metadata']).orderBy('local_path').execute(),
      );
    const before = await rows();
    expect(before.map(({ local_path }) => local_path)).toEqual(['team/a', 'team/b']);
    expect((await house.cycle(backend)).counts).toMatchObject({ unchanged: 2 });
    expect(await rows()).toEqual(before);

    secrets.put('team--a', 'new', { labels: { owner: 'x' } });
    secrets.put('team--b', 'team--b', { labels: { owner: 'y' } });
    expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1, unchanged: 1 });
    expect((await rows())[1]?.metadata).toEqual({ owner: 'y' });
  });

  test('a secret that is deleted and made anew under its name is followed, though its versions begin again', async () => {
    const secrets = vault.secrets();
    for (const value of ['1', '2', '3']) secrets.put('a', value);
    const backend = await addBackend();
    await house.cycle(backend);
    house.clock.advance(60);
    secrets.delete('a');
    secrets.put('a', 'anew');
    expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1 });
    expect(await house.value('a')).toBe('anew');
  });
});

describe('Azure Key Vault', () => {
  let vault: AzureEmulator;
  beforeEach(async () => {
    vault = await startAzureEmulator({ now });
  });
  afterEach(() => vault.close());

  const addBackend = () => {
    const client_id = vault.applications.register();
    return house.addBackend({
      kind: 'azure',
      config: { vault_url: vault.url, authority_host: vault.authorityUrl, tls: { ca_cert: vault.caCert } },
      auth: {
        method: 'client_secret',
        tenant_id: vault.tenantId,
        client_id,
        client_secret: vault.applications.addSecret(client_id),
      },
      sync_paths: ['**'],
    });
  };

  test('a secret that is written twice within a second is read again, and then left alone', async () => {
    vault.secrets.put('a', 'first');
    const backend = await addBackend();
    await house.cycle(backend);
    vault.secrets.put('a', 'second');
    house.clock.advance(5);
    expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1 });
    expect(await house.value('a')).toBe('second');
    await house.cycle(backend);
    expect((await house.cycle(backend)).calls.read).toBeUndefined();
  });

  test('a disabled secret is no deleted one: it is reported, and its key served', async () => {
    for (const name of ['a', 'b']) vault.secrets.put(name, name);
    const backend = await addBackend();
    await house.cycle(backend);
    house.clock.advance(10);
    vault.secrets.disable('a');
    const cycle = await house.cycle(backend);
    expect(cycle.counts).toMatchObject({ failed: 1, deprecated: 0 });
    expect(await house.issues(cycle.id)).toMatchObject([{ code: 'vault_disabled', remote_path: 'a' }]);
    expect((await house.states()).a).toBe('active');
  });
});
