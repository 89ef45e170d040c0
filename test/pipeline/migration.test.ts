import { createSecretReader, putSecret, type SecretReader, secretText } from '@keyferry/access';
import { SecretValue } from '@keyferry/core';
import { rejectHeld } from '@keyferry/pipeline';
import { type Backend, type BackendSettings, listHolds } from '@keyferry/store';
import { builtInVaults } from '@keyferry/vaults';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { everyColumn } from '../support/every-column.ts';
import { type House, openHouse } from '../support/house.ts';

/** The way from "everything in Vault" to "everything in Keyferry", in the guide's six steps: each test goes on from the last. */

const subtree = { from: 'external/hashicorp/app/**', to: 'app/**' };
const everything = { from: 'external/hashicorp/**', to: '**' };
const password = 'external/hashicorp/app/db/password';
const paths = Array.from({ length: 12 }, (_, index) => `app/service-${index}/key`);

let house: House;
let reader: SecretReader;
let backend: Backend;
beforeAll(async () => {
  house = await openHouse();
  reader = createSecretReader(house.services, { pollMs: null, checkIntervalMs: null });
});
afterAll(async () => {
  await reader.close();
  await house.close();
});

const kv = () => house.vault.kv('secret');
const ofVault = (path: string) => kv().get(path)?.data;

/** As an application reads it, past anything that it has been told lately. */
async function read(path: string) {
  house.clock.advance(3);
  const { secret } = await reader.read(house.tenantId, path);
  return { value: secretText(secret, null).value, source: secret.source };
}
const write = (path: string, value: string) =>
  putSecret(
    { ...house.services, registry: builtInVaults },
    {
      tenantId: house.tenantId,
      path,
      value: new SecretValue(Buffer.from(value)),
      by: 'app',
      ifMatch: null,
      ifNoneMatch: null,
      idempotencyKey: null,
    },
  );
async function change(settings: Partial<BackendSettings>): Promise<void> {
  house.clock.advance(1);
  backend = await house.change(backend, settings);
}
async function callsDuring(work: () => Promise<unknown>): Promise<number> {
  house.vault.requests.reset();
  await work();
  return house.vault.requests.total;
}

test('1. Keyferry stands beside the vault, and nothing has changed for anybody', async () => {
  kv().put('app/db/password', { value: 'p1' });
  for (const path of paths) kv().put(path, { value: path });
  kv().put('other/team/token', { value: 't1' });
  await expect(read(password)).rejects.toMatchObject({ code: 'path_unmapped' });
  expect(ofVault('app/db/password')).toBe('{"value":"p1"}');
});

test('2. federated by proxy, everything is read through, and nothing is stored', async () => {
  backend = await house.addBackend({ mode: 'proxy', sync_paths: ['**'], path_mapping: [subtree, everything] });
  expect(await house.cycle(backend)).toMatchObject({ state: 'completed', issues: 0, counts: { discovered: 0 } });
  expect(await read(password)).toEqual({ value: 'p1', source: 'vault' });
  expect(await read('external/hashicorp/other/team/token')).toEqual({ value: 't1', source: 'vault' });
  expect(await house.keys()).toEqual([]);
});

test('3. the applications of one subtree read through Keyferry, and the data is still in the vault', async () => {
  kv().put('app/db/password', { value: 'p2' });
  expect(await read(password)).toEqual({ value: 'p2', source: 'vault' });
  await expect(write(password, 'p3')).rejects.toMatchObject({ code: 'proxied_read_only' });
  expect(await everyColumn(house.database.ownerUrl)).not.toContain('app/db');
});

test('4. by the mode of its rule, and nothing else, the subtree is synced, without a gap', async () => {
  await change({ path_mapping: [{ ...subtree, mode: 'sync' }, everything] });
  // Not stored yet, and answered all the same.
  expect(await read(password)).toEqual({ value: 'p2', source: 'vault' });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ issues: 0, counts: { discovered: 13, added: 13, deprecated: 0, held: 0 } });

  expect(await callsDuring(async () => expect(await read(password)).toEqual({ value: 'p2', source: 'store' }))).toBe(0);
  expect(await read('external/hashicorp/other/team/token')).toEqual({ value: 't1', source: 'vault' });
  // The upstream vault still has a copy.
  expect(ofVault('app/db/password')).toBe('{"value":"p2"}');
});

test('5. writes move to Keyferry, and the sync goes both ways', async () => {
  await change({ access_mode: 'read_and_write', writes: 'write_through' });
  expect(await write(password, 'p3')).toMatchObject({ writtenTo: 'vault', created: false });
  expect(ofVault('app/db/password')).toBe('{"value":"p3"}');
  expect(await read(password)).toEqual({ value: 'p3', source: 'store' });
  await expect(write('external/hashicorp/other/team/token', 'x')).rejects.toMatchObject({ code: 'proxied_read_only' });

  kv().put('app/db/password', { value: 'p4' });
  expect((await house.cycle(backend)).counts).toMatchObject({ updated: 1, unchanged: 12 });
  expect(await read(password)).toEqual({ value: 'p4', source: 'store' });
});

test('5. or the upstream becomes stale, where they stay here', async () => {
  await change({ writes: 'local' });
  expect(await write(password, 'p5')).toMatchObject({ writtenTo: 'store' });
  await house.cycle(backend);
  expect(ofVault('app/db/password')).toBe('{"value":"p4"}');
  expect(await read(password)).toEqual({ value: 'p5', source: 'store' });
});

test('6. that the upstream subtree goes is held, as every mass loss, and kept by a word', async () => {
  for (const path of ['app/db/password', ...paths]) kv().deleteMetadata(path);
  expect((await house.cycle(backend)).counts).toMatchObject({ held: expect.any(Number), deprecated: 0 });
  const [hold] = await house.read((tx) => listHolds(tx, { limit: 10 }));
  expect(hold?.state).toBe('open');
  for (const path of [password, ...paths.map((path) => `external/hashicorp/${path}`)])
    expect(await read(path)).toMatchObject({ source: 'store' });

  await rejectHeld(house.services, { tenantId: house.tenantId, holdId: hold?.id ?? '', by: 'ann' });
  expect((await house.cycle(backend)).counts).toMatchObject({ held: 0, deprecated: 0, discovered: 0 });
  expect(await read(password)).toEqual({ value: 'p5', source: 'store' });
});

test('6. and decommissioned for good, it is Keyferry’s alone, while the rest is as it was', async () => {
  await change({ auto_deprecate: false });
  expect((await house.cycle(backend)).counts).toMatchObject({ held: 0, deprecated: 0, failed: 0 });
  expect(await write(password, 'p6')).toMatchObject({ writtenTo: 'store' });
  await house.cycle(backend);
  house.clock.advance(365 * 24 * 3600);
  await house.sweep();
  await house.cycle(backend);
  expect(await read(password)).toEqual({ value: 'p6', source: 'store' });
  expect(kv().get('app/db/password')).toBeUndefined();
  expect(await read('external/hashicorp/other/team/token')).toEqual({ value: 't1', source: 'vault' });
});
