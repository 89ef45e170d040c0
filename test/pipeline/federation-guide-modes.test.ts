import { createSecretReader, putSecret, type SecretReader, secretText } from '@keyferry/access';
import { SecretValue } from '@keyferry/core';
import { builtInVaults } from '@keyferry/vaults';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { everyColumn, formsOf } from '../support/every-column.ts';
import { type House, openHouse } from '../support/house.ts';

/** The federation guide's table of modes, as far as it is about reading and writing. */

const canary = 'canary-of-the-guide-5d31';
const path = 'bifrost/a';

let house: House;
let reader: SecretReader;
beforeAll(async () => {
  house = await openHouse();
});
beforeEach(() => {
  reader = createSecretReader(house.services, { pollMs: null, checkIntervalMs: null });
});
afterEach(async () => {
  await reader.close();
  house.vault.faults.clear();
  await house.clear();
  house.vault.mounts.disable('secret');
  house.vault.mounts.enable('secret', { type: 'kv', version: 2 });
});
afterAll(() => house.close());

const inVault = (value: string) => house.vault.kv('secret').put(path, { value });
const read = async () => secretText((await reader.read(house.tenantId, path)).secret, null).value;
const put = (value: string) =>
  putSecret(
    { ...house.services, registry: builtInVaults },
    {
      tenantId: house.tenantId,
      path,
      value: new SecretValue(Buffer.from(value)),
      by: 'somebody',
      ifMatch: null,
      ifNoneMatch: null,
      idempotencyKey: null,
    },
  );

async function proxied(settings: Parameters<House['addBackend']>[0] = {}) {
  return await house.addBackend({ mode: 'proxy', ...settings });
}

async function synced(settings: Parameters<House['addBackend']>[0] = {}) {
  const backend = await house.addBackend(settings);
  await house.cycle(backend);
  return backend;
}

describe('Freshness', () => {
  test('Proxy: real-time', async () => {
    inVault('old');
    await proxied();
    expect(await read()).toBe('old');
    inVault('new');
    expect(await read()).toBe('new');
  });

  test('Sync: what was synced last, until the next cycle', async () => {
    inVault('old');
    const backend = await synced();
    inVault('new');
    expect(await read()).toBe('old');
    await house.cycle(backend);
    house.clock.advance(2);
    expect(await read()).toBe('new');
  });
});

describe('Latency', () => {
  test('Proxy: the vault’s, and a little', async () => {
    inVault('1');
    await proxied();
    await read();
    house.vault.faults.inject({ effect: { kind: 'slow', delayMs: 300 } });
    const begun = performance.now();
    await read();
    expect(performance.now() - begun).toBeGreaterThanOrEqual(290);
  });

  test('Sync: local only, where the vault takes for ever', async () => {
    inVault('1');
    await synced();
    const fault = house.vault.faults.inject({ effect: { kind: 'hang' } });
    expect(await read()).toBe('1');
    expect(fault.hits).toBe(0);
  });
});

describe('Availability', () => {
  const away = () => house.vault.faults.inject({ effect: { kind: 'status', status: 503 } });

  test('Proxy: tied to the vault', async () => {
    inVault('1');
    await proxied({ max_stale_seconds: 0 });
    expect(await read()).toBe('1');
    const fault = away();
    house.clock.advance(1);
    await expect(read()).rejects.toMatchObject({ failureClass: 'unavailable' });
    fault.remove();
    house.clock.advance(60);
    expect(await read()).toBe('1');
  });

  test('Sync: independent of the vault', async () => {
    inVault('1');
    const backend = await synced();
    away();
    for (let cycle = 0; cycle < 3; cycle++) expect((await house.cycle(backend)).state).toBe('failed');
    house.clock.advance(30 * 24 * 3600);
    expect(await read()).toBe('1');
  });
});

describe('Data at rest', () => {
  test('Proxy: nowhere, by reading neither', async () => {
    inVault(canary);
    await proxied();
    expect(await read()).toBe(canary);
    const stored = await everyColumn(house.database.ownerUrl);
    expect(formsOf(canary).filter((form) => stored.includes(form))).toEqual([]);
    expect(await house.keys()).toEqual([]);
  });
});

describe('Write support', () => {
  const ofVault = () => house.vault.kv('secret').get(path)?.data;

  test('Proxy: read-only', async () => {
    inVault('1');
    await proxied();
    await expect(put('2')).rejects.toMatchObject({ code: 'proxied_read_only' });
    expect(ofVault()).toBe('{"value":"1"}');
    expect(await read()).toBe('1');
  });

  test('Sync: none by default', async () => {
    inVault('1');
    await synced();
    await expect(put('2')).rejects.toMatchObject({ code: 'writes_disabled' });
    expect(ofVault()).toBe('{"value":"1"}');
  });

  test('Sync: write-through where it is wanted', async () => {
    inVault('1');
    await synced({ access_mode: 'read_and_write', writes: 'write_through' });
    await put('2');
    expect(ofVault()).toBe('{"value":"2"}');
    house.clock.advance(2);
    expect(await read()).toBe('2');
  });
});

describe('Cost per read', () => {
  const callsOf = async (reads: number) => {
    house.vault.requests.reset();
    for (let number = 0; number < reads; number++) await read();
    return house.vault.requests.total;
  };

  test('Proxy: one call to the vault', async () => {
    inVault('1');
    await proxied();
    // The first one logs in and finds out of which version the mount is.
    await read();
    expect(await callsOf(5)).toBe(5);
  });

  test('Sync: none after the first sync', async () => {
    inVault('1');
    await synced();
    expect(await callsOf(5)).toBe(0);
  });
});

describe('Version history', () => {
  test('a proxied read returns the current version alone', async () => {
    inVault('1');
    inVault('2');
    await proxied({ version_history: true });
    const { secret } = await reader.read(house.tenantId, path);
    expect(secret).toMatchObject({ version: null, remoteVersion: '2' });
    await expect(reader.read(house.tenantId, path, { version: 1 })).rejects.toMatchObject({ code: 'request_invalid' });
  });
});
