import { type KeyManager, rewrap, rotateDataKey } from '@keyferry/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** Data keys are changed beside cycles and reads. */

let house: House;
let keyring: KeyManager;

beforeEach(async () => {
  house = await openHouse();
  keyring = house.services.keyring as KeyManager;
});
afterEach(() => house.close());

async function rotateAndRewrap(): Promise<void> {
  const { store } = house.services;
  const { tenantId } = house;
  const now = new Date();
  await rotateDataKey(store, keyring.masterKeys, tenantId, { actor: 'test', now, announceMs: 0 });
  const signal = new AbortController().signal;
  const run = rewrap({ store, keyring, tenantId, actorIn: () => 'test', now: () => now, signal, graceMs: 3_600_000 });
  for await (const { failed } of run) expect(failed).toBe(0);
}

test('cycles add and change keys, and values are read, while data keys are rotated and rewrapped', async () => {
  const secrets = house.vault.kv('secret');
  const put = (round: number) => {
    for (let index = 0; index < 60; index++)
      secrets.put(`bifrost/k${index % 20}-${index < 20 ? 'same' : round}`, { value: `${round}.${index}` });
  };
  put(0);
  const backend = await house.addBackend();
  await house.cycle(backend);
  let reading = true;
  let reads = 0;
  const reader = (async () => {
    while (reading) {
      await house.value('bifrost/k3-same');
      reads++;
    }
  })();
  for (let round = 1; round <= 4; round++) {
    put(round);
    const [cycle] = await Promise.all([house.cycle(backend), rotateAndRewrap()]);
    expect([cycle.state, cycle.issues]).toEqual(['completed', 0]);
  }
  reading = false;
  await reader;
  expect(reads).toBeGreaterThan(5);
  expect(await house.value('bifrost/k3-same')).toBe('{"value":"4.3"}');
  for (const key of await house.keys()) expect(await house.value(key.local_path)).toMatch(/^\{"value":"\d\.\d+"\}$/);
}, 60_000);
