import { appendEvents, appendKeyEvents, type Backend, flushBackends, keyEvents } from '@keyferry/store';
import { type House, openHouse } from '@keyferry/testing/support/house.ts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ChangeFeed, createChangeFeed } from '../src/change-feed.ts';

let house: House;
let backend: Backend;
let feed: ChangeFeed;
let told: (string[] | 'flush')[];

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

beforeEach(async () => {
  backend = await house.addBackend();
  told = [];
  const listener = { changed: (paths: string[]) => told.push(paths), flush: () => told.push('flush') };
  feed = createChangeFeed(house.services, house.tenantId, listener);
  await feed.check();
  told.length = 0;
});
afterEach(() => house.clear());

const append = (type: 'keys.rotated' | 'keys.created', paths: string[]) =>
  house.read((tx) => appendKeyEvents(tx, backend, type, paths, { now: house.clock.now() }));
const checked = async () => {
  await feed.check();
  return told.splice(0);
};

test('paths that events tell of are told once, and nothing where nothing happened', async () => {
  const before = feed.position;
  expect(await checked()).toEqual([]);
  expect(feed.position).toBe(before);
  await append('keys.created', ['a', 'b']);
  await append('keys.rotated', ['b']);
  expect(await checked()).toEqual([['a', 'b']]);
  expect(feed.position).not.toBe(before);
  expect(await checked()).toEqual([]);
});

test('of a renamed key both paths are told', async () => {
  const events = keyEvents('keys.renamed', backend, null, [{ path: 'new', renamed_from: 'old' }]);
  await house.read((tx) => appendEvents(tx, backend.id, events, house.clock.now()));
  expect(await checked()).toEqual([['new', 'old']]);
});

test('too many paths are a flush', async () => {
  await append(
    'keys.created',
    Array.from({ length: 10_000 }, (_, number) => `many/${number}`),
  );
  expect(await checked()).toEqual([expect.objectContaining({ length: 10_000 })]);
  await append(
    'keys.created',
    Array.from({ length: 10_001 }, (_, number) => `many/${number}`),
  );
  expect(await checked()).toEqual(['flush']);
});

test('so are a flush by anyone, other settings of a backend, and one that comes or goes', async () => {
  await house.read((tx) => flushBackends(tx, [backend.id]));
  expect(await checked()).toEqual(['flush']);
  const positions = [feed.position];
  await house.change(backend, { mode: 'proxy' });
  expect(await checked()).toEqual(['flush']);
  positions.push(feed.position);
  await house.addBackend();
  expect(await checked()).toEqual(['flush']);
  positions.push(feed.position);
  expect(new Set(positions).size).toBe(3);
});

test('settings that decide on nothing that is answered flush nothing', async () => {
  await house.change(backend, { sync_interval_seconds: 60 });
  expect(await checked()).toEqual([]);
  expect(feed.backends[0]?.backend.sync_interval_seconds).toBe(60);
});

test('so is a time that was so long that events of it may be gone', async () => {
  house.clock.advance(3601);
  expect(await checked()).toEqual(['flush']);
});

test('it is fresh for two seconds from when a check began, and checks once for all who ask then', async () => {
  house.clock.advance(2);
  expect(feed.isFresh()).toBe(true);
  house.clock.advance(1);
  expect(feed.isFresh()).toBe(false);
  await append('keys.created', ['a']);
  expect(await Promise.all([feed.ensureFresh(), feed.ensureFresh()])).toEqual([true, true]);
  expect(told).toEqual([['a']]);
});

test('a clock that is set back makes nothing fresh that is not', async () => {
  house.clock.advance(-3);
  expect(feed.isFresh()).toBe(false);
  expect(await feed.ensureFresh()).toBe(true);
});

test('what could not be taken in is told by the next check that can', async () => {
  const set = (from: string) =>
    house.read((tx) =>
      tx
        .updateTable('backends')
        .set({ path_mapping: JSON.stringify([{ from, to: 'there/**' }]) })
        .execute(),
    );
  await append('keys.rotated', ['a']);
  await set('no glob at all ***');
  house.clock.advance(3);
  await expect(feed.check()).rejects.toMatchObject({ code: 'glob_invalid' });
  expect([feed.isFresh(), told]).toEqual([false, []]);
  await set('here/**');
  expect(await checked()).toEqual(['flush']);
  expect(feed.backends[0]?.federation.placeOf('here/a')).toBeNull();
});
