import type { LifecycleRule } from '@keyferry/core';
import type { BackendSettings } from '@keyferry/store';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** Keys to begin with, in a house that the test file which imports this has for itself. */

export const minute = 60;
export const hour = 60 * minute;
export const day = 24 * hour;

export let house: House;
let mounts = 0;
beforeAll(async () => {
  house = await openHouse();
});
afterEach(() => house.clear());
afterAll(() => house.close());

/** A backend on a mount of its own with the secrets a to f, synced once. */
export async function begin(settings: Partial<BackendSettings> = {}) {
  const mount = `edges-${++mounts}`;
  const secrets = house.vault.mounts.enable(mount, { type: 'kv', version: 2 });
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) secrets.put(`bifrost/${name}`, { value: `${name}-1` });
  const backend = await house.addBackend({ config: { address: house.vault.url, mount }, ...settings });
  await house.cycle(backend);
  return {
    backend,
    secrets,
    put: (name: string, value: string, customMetadata: Record<string, string> = {}) =>
      secrets.put(`bifrost/${name}`, { value }, { customMetadata }),
    remove: (name: string) => secrets.deleteMetadata(`bifrost/${name}`),
  };
}

export async function keyOf(name: string) {
  const rows = await house.read((tx) =>
    tx.selectFrom('keys').selectAll().where('local_path', '=', `bifrost/${name}`).execute(),
  );
  return rows[0];
}

export const stateOf = async (name: string) => (await keyOf(name))?.state ?? 'none';

/** Deprecated by a cycle, and missed by another one since. */
export async function deprecatedKey(settings: Partial<BackendSettings> = {}) {
  const begun = await begin(settings);
  begun.remove('a');
  await house.cycle(begun.backend);
  await house.cycle(begun.backend);
  expect(await stateOf('a')).toBe('deprecated');
  return begun;
}

export async function archivedKey(settings: Partial<BackendSettings> = {}) {
  const begun = await deprecatedKey({ grace_period_seconds: minute, ...settings });
  await later(minute);
  expect(await stateOf('a')).toBe('archived');
  return begun;
}

export async function later(seconds: number): Promise<void> {
  house.clock.advance(seconds);
  await house.sweep();
}

export const told = async (type: string) => (await house.events(type)).flatMap(({ data }) => data.paths as string[]);
export const inSeconds = (seconds: number) => new Date(house.clock.now().getTime() + seconds * 1000).toISOString();
export const onlyA = (periods: Omit<LifecycleRule, 'paths'>): LifecycleRule[] => [{ paths: ['bifrost/a'], ...periods }];
