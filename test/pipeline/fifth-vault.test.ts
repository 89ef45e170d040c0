import { afterEach, beforeEach, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { Shoebox, shoeboxKind } from '../support/shoebox.ts';

/** A kind of vault is one definition: a made-up one goes through all five stages, without a line of it elsewhere. */

let house: House;
let box: Shoebox;
const boxes = new Map<string, Shoebox>();
beforeEach(async () => {
  house = await openHouse({ moreVaults: [shoeboxKind(boxes)] });
  box = new Shoebox();
  boxes.clear();
  boxes.set('attic', box);
});
afterEach(() => house.close());

const put = (path: string, value: string) => box.put(path, value, house.clock.now());
const addBackend = (settings = {}) =>
  house.addBackend({
    kind: 'shoebox',
    config: { box: 'attic' },
    auth: { method: 'password', password: 'open' },
    sync_paths: ['**'],
    ...settings,
  });

test('discover, validate, sync, deprecate and notify work with a vault that nobody has heard of', async () => {
  for (const name of ['a', 'b', 'c/d']) put(name, `value of ${name}`);
  const backend = await addBackend();
  expect((await house.cycle(backend)).counts).toMatchObject({ discovered: 3, added: 3 });
  expect(await house.value('c/d')).toBe('value of c/d');

  put('b', 'another value');
  box.take('a');
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({
    state: 'completed',
    counts: { discovered: 2, updated: 1, unchanged: 1, deprecated: 1 },
  });
  expect(cycle.calls).toEqual({ probe: 3, list: 1, read: 1, confirm: 1 });
  expect(await house.states()).toEqual({ a: 'deprecated', b: 'active', 'c/d': 'active' });
  const types = (await house.events()).map(({ type }) => type);
  expect(types.filter((type) => type === 'federation.sync.completed')).toHaveLength(2);
});

test('a container with another name is another container: the cycle fails and nothing is removed', async () => {
  for (const name of ['a', 'b']) put(name, name);
  const backend = await addBackend();
  await house.cycle(backend);

  boxes.set('attic', new Shoebox());
  Object.assign(boxes.get('attic') ?? {}, { label: 'box-2' });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'failed', error_code: 'container_changed' });
  expect(await house.states()).toEqual({ a: 'active', b: 'active' });

  boxes.set('attic', box);
  expect(await house.cycle(backend)).toMatchObject({ state: 'completed', counts: { unchanged: 2 } });
});

test('a container that no longer tells its name proves no absence', async () => {
  for (const name of ['a', 'b']) put(name, name);
  const backend = await addBackend();
  await house.cycle(backend);
  box.label = null;
  box.take('a');
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', counts: { deprecated: 0, unconfirmed: 1 } });
  expect((await house.issues(cycle.id)).map(({ code }) => code)).toEqual(['container_unproven']);
});

test('a container that is changed between the listing and the removal removes nothing', async () => {
  for (const name of ['a', 'b']) put(name, name);
  const backend = await addBackend();
  await house.cycle(backend);
  box.take('a');
  const take = box.slips.has.bind(box.slips);
  box.slips.has = (path) => {
    box.label = 'box-2';
    return take(path);
  };
  expect(await house.cycle(backend)).toMatchObject({ counts: { deprecated: 0, unconfirmed: 1 } });
});

test('versions that the vault made before are carried where that is wanted, up to max_versions', async () => {
  for (const value of ['1', '2', '3', '4', '5']) {
    put('a', value);
    house.clock.advance(60);
  }
  const backend = await addBackend({ version_history: true, max_versions: 3 });
  const cycle = await house.cycle(backend);
  expect(cycle.calls).toMatchObject({ read: 1, history: 3 });
  const versions = async () =>
    await house.read((tx) =>
      tx.selectFrom('key_versions').select(['version', 'remote_version']).orderBy('version').execute(),
    );
  expect(await versions()).toEqual([
    { version: 1, remote_version: '3' },
    { version: 2, remote_version: '4' },
    { version: 3, remote_version: '5' },
  ]);
  expect(await house.value('a')).toBe('5');

  for (const value of ['6', '7']) {
    put('a', value);
    house.clock.advance(60);
  }
  expect((await house.cycle(backend)).calls).toMatchObject({ read: 1, history: 2 });
  expect((await versions()).map(({ remote_version }) => remote_version)).toEqual(['5', '6', '7']);
  expect(await house.value('a')).toBe('7');
  expect((await house.cycle(backend)).calls.history).toBeUndefined();
});

test('a version of the past that can’t be read is told of, and the current one is carried', async () => {
  for (const value of ['1', '2', '3']) put('a', value);
  Object.assign(box.slips.get('a')?.[1] ?? {}, { lost: true });
  const backend = await addBackend({ version_history: true });
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'completed', issues: 1, counts: { added: 1, history_incomplete: 1 } });
  expect(await house.issues(cycle.id)).toMatchObject([
    { code: 'history_incomplete', class: 'forbidden', remote_path: 'a' },
  ]);
  expect(await house.value('a')).toBe('3');
});

test('without version_history no call is made for the past', async () => {
  for (const value of ['1', '2', '3']) put('a', value);
  expect((await house.cycle(await addBackend())).calls).toEqual({ probe: 1, list: 1, read: 1 });
});
