import { randomUUID } from 'node:crypto';
import { createConnectionPool, openConnection } from '@keyferry/connections';
import { getBackend } from '@keyferry/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { Shoebox, shoeboxKind } from '../support/shoebox.ts';
import { thisMachine } from '../support/this-machine.ts';

/** Credentials of a backend that are kept in a key of another one. */

let house: House;
let box: Shoebox;
const boxes = new Map<string, Shoebox>();
beforeEach(async () => {
  house = await openHouse({ moreVaults: [shoeboxKind(boxes)] });
  box = new Shoebox();
  boxes.clear();
  boxes.set('attic', box);
  box.put('a', 'x', house.clock.now());
});
afterEach(() => house.close());

const canary = `canary-${randomUUID()}`;

/** A backend whose password comes from a key of the emulator's vault. */
async function siteWith(password: string) {
  const secrets = house.vault.kv('secret');
  const writePassword = (value: string) => secrets.put('bifrost/attic', { value });
  writePassword(password);
  const source = await house.addBackend();
  await house.cycle(source);
  const backend = await house.addBackend({
    kind: 'shoebox',
    config: { box: 'attic', credentials_path: 'bifrost/attic' },
    auth: { method: 'password' },
    credential_paths: ['bifrost/attic'],
    sync_paths: ['**'],
    path_mapping: [{ from: 'attic/**', to: '**' }],
  });
  return { source, backend, writePassword };
}

test('a rotated credential is picked up in the next cycle, without a restart', async () => {
  const { source, backend, writePassword } = await siteWith('open');
  expect(await house.cycle(backend)).toMatchObject({ state: 'completed', counts: { added: 1 } });
  box.passwords.clear();
  box.passwords.add('sesame');
  writePassword('sesame');
  await house.cycle(source);
  expect(await house.cycle(backend)).toMatchObject({ state: 'completed', issues: 0, counts: { unchanged: 1 } });
  expect(box.tried.at(-1)).toBe('sesame');
});

test('a process that begins after a broken rotation finds the value before, within its first cycle', async () => {
  const { source, backend, writePassword } = await siteWith('open');
  writePassword(canary);
  await house.cycle(source);
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', counts: { added: 1, credentials_refused: 1 } });
  expect(box.tried.slice(0, 2)).toEqual([canary, canary]);
  expect(box.tried.at(-1)).toBe('open');
});

test('a rotation to something that does not work is told of, and the cycle goes on with what does', async () => {
  const { source, backend, writePassword } = await siteWith('open');
  await house.cycle(backend);
  writePassword(canary);
  await house.cycle(source);
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', issues: 1, counts: { unchanged: 1, credentials_refused: 1 } });
  const [issue] = await house.issues(cycle.id);
  expect(issue).toMatchObject({ code: 'credentials_refused', class: 'unauthenticated', remote_path: backend.name });
  expect(JSON.stringify([issue, cycle, await house.events()])).not.toContain(canary);
});

test('a backend whose credentials are gone fails, and keeps its keys', async () => {
  const { source, backend } = await siteWith('open');
  await house.cycle(backend);
  house.vault.kv('secret').deleteMetadata('bifrost/attic');
  await house.cycle(source);
  house.clock.advance(25 * 3600);
  await house.cycle(source);
  await house.sweep();
  expect((await house.states())['bifrost/attic']).toBe('archived');
  const fresh = await openElsewhere(backend.id);
  expect(fresh).toMatchObject({ code: 'credentials_withdrawn', failureClass: 'unauthenticated' });
  expect((await house.states())['attic/a']).toBe('active');
});

/** How a process that has no connection yet fails to make one. */
async function openElsewhere(backendId: string): Promise<unknown> {
  const connections = createConnectionPool({
    registry: [shoeboxKind(boxes)],
    allowedEnvironment: [],
    environment: {},
    allowedFiles: [],
    allowedIdentities: [],
    allowedVaults: thisMachine,
  });
  const backend = await house.read((tx) => getBackend(tx, backendId));
  return await openConnection({ ...house.services, connections }, backend, new AbortController().signal).catch(
    (error: unknown) => error,
  );
}
