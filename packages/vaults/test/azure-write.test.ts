import { classOf, SecretValue } from '@keyferry/core';
import { expect, test, vi } from 'vitest';
import type { ConnectContext, PutOptions, VaultBackend } from '../src/index.ts';
import { type AzureBench, startBench } from './azure-bench.ts';
import { failureOf, patient, readOne } from './support.ts';

function put(backend: VaultBackend, path: string, text: string, options: Partial<PutOptions> = {}) {
  return backend.put(path, SecretValue.fromText(text), { idempotencyKey: crypto.randomUUID(), ...options }, patient);
}

/** Lets the pauses of what waits for the vault be over until it has ended. */
async function whilePausing<T>({ clock }: AzureBench, running: Promise<T>): Promise<T> {
  let ended = false;
  const settled = running.finally(() => {
    ended = true;
  });
  settled.catch(() => {});
  while (!ended) {
    await vi.waitFor(() => expect(ended || clock.waiting > 0).toBe(true), { interval: 1 });
    if (!ended) clock.advance(2);
  }
  return settled;
}

test('a new version keeps the tags and the content type of the one before, and is without its end', async () => {
  const { vault, connect } = await startBench();
  const tags = { owner: 'search' };
  vault.secrets.put('a', 'one', { tags, contentType: 'application/json', expires: new Date('2027-01-01') });
  const backend = await connect();
  await put(backend, 'a', 'two', { metadata: { owner: 'billing' } });
  expect(vault.secrets.get('a')).toMatchObject({ value: 'two', tags, contentType: 'application/json' });
  expect(vault.secrets.get('a')).not.toHaveProperty('expires');
  await put(backend, 'new', 'x', { metadata: { owner: 'billing' } });
  expect(vault.secrets.get('new')).toMatchObject({ tags: { owner: 'billing' } });
  expect(vault.secrets.get('new')).not.toHaveProperty('contentType');
});

test('a deleted secret is recovered, then written, however long the vault takes', async () => {
  const bench = await startBench({ settleMs: 5_000 });
  const { vault, clock, connect } = bench;
  vault.secrets.put('a', 'old', { tags: { owner: 'search' } });
  vault.secrets.delete('a');
  const backend = await connect();
  clock.advance(10);
  const { version } = await whilePausing(bench, put(backend, 'a', 'new', { expectedVersion: null }));
  expect(vault.secrets.get('a')).toMatchObject({ id: version, value: 'new', tags: { owner: 'search' } });
  expect(vault.secrets.versions('a')).toHaveLength(2);
});

test('a secret that is just being deleted is waited for, and so is one that is still being recovered', async () => {
  const bench = await startBench({ settleMs: 5_000 });
  const { vault, connect } = bench;
  vault.secrets.put('a', 'old');
  const backend = await connect();
  await backend.remove('a', patient);
  await backend.remove('a', patient);
  await whilePausing(bench, put(backend, 'a', 'new'));
  expect(vault.secrets.get('a')?.value).toBe('new');

  await backend.remove('a', patient);
  await whilePausing(bench, backend.restore('a', patient));
  expect((await readOne(backend, 'a')).value.reveal().toString()).toBe('new');
});

test('a wait for the vault ends with the signal, and after a minute by itself', async () => {
  const bench = await startBench({ settleMs: 10 * 60_000 });
  const { vault, clock, connect } = bench;
  vault.secrets.put('a', 'x');
  const backend = await connect();
  await backend.remove('a', patient);
  const controller = new AbortController();
  const waiting = failureOf(backend.restore('a', controller.signal));
  await vi.waitFor(() => expect(clock.waiting).toBe(1), { interval: 1 });
  controller.abort(new Error('given up'));
  expect((await waiting).message).toBe('given up');
  expect(clock.waiting).toBe(0);
  expect(await failureOf(whilePausing(bench, backend.restore('a', patient)))).toMatchObject({
    failureClass: 'unavailable',
    message: 'Could not recover "a": the vault is still deleting or recovering it.',
  });
});

test('a path that differs from a secret’s by case alone is a conflict, and writes nothing', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('team--Key', 'theirs');
  const backend = await connect();
  const failure = await failureOf(put(backend, 'team/key', 'ours'));
  expect(failure).toMatchObject({ code: 'vault_conflict' });
  expect(failure.message).toContain('the vault has "team/Key", and knows no difference between letters by case');
  expect(vault.secrets.versions('team--Key')).toHaveLength(1);
});

test('a disabled secret is not written over', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('a', 'x');
  vault.secrets.disable('a');
  expect(await failureOf(put(await connect(), 'a', 'y'))).toMatchObject({ code: 'vault_disabled' });
  expect(vault.secrets.versions('a')).toHaveLength(1);
});

test('what the vault would not take is refused before anything is sent, with what to do', async () => {
  const { vault, connect } = await startBench();
  const backend = await connect();
  const options = { idempotencyKey: crypto.randomUUID() };
  const binary = backend.put('a', new SecretValue(Buffer.from([0xff, 0x00])), options, patient);
  expect(await failureOf(binary)).toMatchObject({ failureClass: 'invalid', message: expect.stringMatching(/base64/) });
  const large = await failureOf(put(backend, 'a', 'ü'.repeat(12_801)));
  expect(large).toMatchObject({ failureClass: 'too_large', message: expect.stringContaining('25600 bytes') });
  const tags = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`tag-${index}`, 'x']));
  for (const metadata of [tags, { name: 'x'.repeat(257) }, { '': 'x' }])
    expect(await failureOf(put(backend, 'a', 'x', { metadata }))).toMatchObject({ failureClass: 'invalid' });
  expect(vault.requests.total).toBe(0);
});

test('a deletion is recoverable, and recovering needs something that was deleted', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('a', 'x');
  const backend = await connect();
  expect(await failureOf(backend.restore('a', patient))).toMatchObject({ code: 'vault_not_found' });
  await backend.remove('a', patient);
  expect(vault.secrets.get('a')).toBeNull();
  await backend.restore('a', patient);
  expect(vault.secrets.get('a')?.value).toBe('x');
});

test('a deletion or recovery that fails does so within its call, so that it is tried again by its class', async () => {
  const { vault, connect, context } = await startBench();
  vault.secrets.put('a', 'x');
  const twice: ConnectContext = {
    ...context,
    call: (_operation, signal, attempt) =>
      attempt(signal).catch((error) => {
        if (classOf(error) !== 'unavailable') throw error;
        return attempt(signal);
      }),
  };
  const backend = await connect({}, twice);
  for (const operation of ['DeleteSecret', 'RecoverDeletedSecret'])
    vault.faults.inject({ operation, times: 1, effect: { kind: 'status', status: 503 } });
  // What the fault replaced was done all the same, as behind a gateway that gave up.
  await backend.remove('a', patient);
  expect(vault.secrets.get('a')).toBeNull();
  await backend.restore('a', patient);
  expect(vault.secrets.get('a')?.value).toBe('x');
  expect(vault.requests.counts).toMatchObject({ DeleteSecret: 2, RecoverDeletedSecret: 2 });
});

test('a secret that may be recovered but not read counts as recovered', async () => {
  const { vault, connect, clientId } = await startBench();
  vault.secrets.put('a', 'x');
  vault.secrets.delete('a');
  vault.applications.forbid(clientId, 'get', 'a');
  await (await connect()).restore('a', patient);
  expect(vault.secrets.get('a')?.value).toBe('x');
});

test('what comes back disabled, or is of a name that differs by case, is not written over', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('off', 'old', { tags: { owner: 'search' } });
  vault.secrets.disable('off');
  vault.secrets.put('Team--Key', 'theirs');
  for (const name of ['off', 'Team--Key']) vault.secrets.delete(name);
  const backend = await connect();
  expect(await failureOf(put(backend, 'off', 'new'))).toMatchObject({ code: 'vault_disabled' });
  expect(await failureOf(put(backend, 'team/key', 'ours'))).toMatchObject({ code: 'vault_conflict' });
  for (const name of ['off', 'Team--Key']) expect(vault.secrets.versions(name), name).toHaveLength(1);
});

test('a secret that is deleted after it was looked at is not written over where a version was expected', async () => {
  const { vault, connect } = await startBench();
  const expectedVersion = vault.secrets.put('a', 'old');
  vault.faults.inject({
    when({ operation }) {
      if (operation === 'SetSecret') vault.secrets.delete('a');
      return false;
    },
    effect: { kind: 'reset' },
  });
  const failure = await failureOf(put(await connect(), 'a', 'new', { expectedVersion }));
  expect(failure).toMatchObject({ code: 'vault_conflict' });
  expect(vault.secrets.get('a')).toBeNull();
});
