import { afterEach, beforeEach, expect, test } from 'vitest';
import { codeOf, openWritingHouse, type WritingHouse } from './support/writing.ts';

/** Requests that come more than once. */

const canary = 'canary-5d1f-idempotent';

let house: WritingHouse;
beforeEach(async () => {
  house = await openWritingHouse({ deadlineMs: 1_500 });
});
afterEach(() => house.close());

const stored = () => house.read((tx) => tx.selectFrom('idempotent_requests').selectAll().execute());
const versionInVault = () => house.vault.kv('secret').get('bifrost/a')?.version;

test('the same request gets the answer of the first, and is done once', async () => {
  await house.addWritable();
  const first = await house.put('bifrost/a', canary, { idempotencyKey: 'k1' });
  await house.put('bifrost/a', 'another');
  expect(await house.put('bifrost/a', canary, { idempotencyKey: 'k1' })).toEqual(first);
  expect(versionInVault()).toBe(2);
  expect(JSON.stringify(await stored())).not.toContain(canary);
  const deleted = await house.remove('bifrost/a', { idempotencyKey: 'k2' });
  expect(await house.remove('bifrost/a', { idempotencyKey: 'k2' })).toEqual(deleted);
});

test('another request under the same key is refused, and others’ keys are their own', async () => {
  await house.addWritable();
  await house.put('bifrost/a', 'one', { idempotencyKey: 'k' });
  expect(await codeOf(house.put('bifrost/a', 'two', { idempotencyKey: 'k' }))).toBe('idempotency_mismatch');
  expect(await codeOf(house.put('bifrost/b', 'one', { idempotencyKey: 'k' }))).toBe('idempotency_mismatch');
  expect(await codeOf(house.remove('bifrost/a', { idempotencyKey: 'k' }))).toBe('idempotency_mismatch');
  expect(await house.put('bifrost/a', 'two', { idempotencyKey: 'k', by: 'another' })).toMatchObject({ version: 2 });
});

test('of two at a time one is done, and the other waits or gets its answer', async () => {
  await house.addWritable();
  const results = await Promise.allSettled([1, 2, 3].map(() => house.put('bifrost/a', 'v', { idempotencyKey: 'k' })));
  const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  expect(answers.length).toBeGreaterThan(0);
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'request_in_progress' });
  expect(versionInVault()).toBe(1);
  expect(await house.put('bifrost/a', 'v', { idempotencyKey: 'k' })).toEqual(answers[0]);
});

test('one that was refused may be sent again', async () => {
  const backend = await house.addBackend();
  expect(await codeOf(house.put('bifrost/a', 'v', { idempotencyKey: 'k' }))).toBe('writes_disabled');
  expect(await stored()).toEqual([]);
  await house.change(backend, { writes: 'local' });
  expect(await house.put('bifrost/a', 'v', { idempotencyKey: 'k' })).toMatchObject({ created: true });
});

test('one that died half-way is finished by the next, and the vault makes it once', async () => {
  await house.addWritable();
  const { etag } = await house.put('bifrost/a', 'one');
  const request = { idempotencyKey: 'k', ifMatch: etag };
  const away = house.vault.faults.inject({ effect: { kind: 'reset' }, path: 'secret/data/*' });
  expect(await codeOf(house.put('bifrost/a', 'two', request))).toBe('vault_unavailable');
  const [first] = await house.intents();
  away.remove();
  expect(await house.put('bifrost/a', 'two', request)).toMatchObject({ version: 2, remoteVersion: '2' });
  expect(versionInVault()).toBe(2);
  expect(first).toBeDefined();
  expect(await house.put('bifrost/a', 'two', request)).toMatchObject({ version: 2 });
});

test('one whose write a cycle has carried meanwhile is answered, whatever If-Match says by now', async () => {
  const backend = await house.addWritable();
  const { etag } = await house.put('bifrost/a', 'one');
  const request = { idempotencyKey: 'k', ifMatch: etag };
  const away = house.vault.faults.inject({ effect: { kind: 'reset' }, path: 'secret/data/*' });
  expect(await codeOf(house.put('bifrost/a', 'two', request))).toBe('vault_unavailable');
  away.remove();
  await house.cycle(backend);
  expect(await house.put('bifrost/a', 'two', request)).toMatchObject({ version: 2, remoteVersion: '2' });
});
