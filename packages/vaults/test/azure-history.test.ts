import { expect, test } from 'vitest';
import { startBench } from './azure-bench.ts';
import { failureOf, patient } from './support.ts';

test('versions come in the order of time, over all pages, though the vault lists them by their ids', async () => {
  const { vault, clock, connect } = await startBench();
  for (let index = 0; index < 60; index++) {
    vault.secrets.put('a', `value-${index}`);
    clock.advance(1);
  }
  const versions = await (await connect()).versions('a', patient);
  expect(versions.map(({ version }) => version)).toEqual(vault.secrets.versions('a').reverse());
  expect(versions.filter(({ current }) => current)).toEqual(versions.slice(0, 1));
});

test('of versions of one second the current one is told by reading it', async () => {
  const { vault, connect, calls } = await startBench();
  for (const text of ['one', 'two', 'three', 'four', 'five']) vault.secrets.put('a', text);
  const backend = await connect();
  const [first] = await backend.versions('a', patient);
  expect(first).toMatchObject({ version: vault.secrets.get('a')?.id, current: true });
  expect(calls.history).toBe(2);
  const reading = await backend.readVersion('a', first?.version ?? '', patient);
  expect(reading.value.reveal().toString()).toBe('five');
});

test('a version is asked for by its id alone', async () => {
  const { vault, connect } = await startBench();
  const first = vault.secrets.put('a', 'one');
  vault.secrets.put('a', 'two');
  const backend = await connect();
  expect((await backend.readVersion('a', first, patient)).value.reveal().toString()).toBe('one');
  const before = vault.requests.total;
  for (const version of ['', 'versions', '../b', '1', `${first}/`])
    expect(await failureOf(backend.readVersion('a', version, patient)), version).toMatchObject({
      code: 'vault_not_found',
    });
  expect(vault.requests.total).toBe(before);
  expect(await failureOf(backend.readVersion('a', '0'.repeat(32), patient))).toMatchObject({ code: 'vault_not_found' });
});

test('an answer about another version than was asked for is none', async () => {
  const { vault, connect } = await startBench();
  const version = vault.secrets.put('a', 'x');
  const id = `${vault.url}/secrets/a/${'0'.repeat(32)}`;
  const body = JSON.stringify({ id, value: 'canary', attributes: { enabled: true } });
  vault.faults.inject({ operation: 'GetSecret', effect: { kind: 'garbage', body } });
  expect(await failureOf((await connect()).readVersion('a', version, patient))).toMatchObject({
    failureClass: 'invalid',
  });
});
