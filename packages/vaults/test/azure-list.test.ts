import { classOf } from '@keyferry/core';
import { expect, test } from 'vitest';
import type { ConnectContext } from '../src/index.ts';
import { startBench } from './azure-bench.ts';
import { failureOf, listAll, patient, readOne, scope } from './support.ts';

test('names are paths with slashes where the separator is, and as they are without one', async () => {
  const { vault, connect } = await startBench();
  for (const name of ['bifrost--openai--key', 'plain', '--odd', 'four----dashes']) vault.secrets.put(name, name);
  const slashed = await connect();
  const paths = ['--odd', 'bifrost/openai/key', 'four----dashes', 'plain'];
  expect((await listAll(slashed)).map(({ path }) => path)).toEqual(paths);
  for (const path of paths) await readOne(slashed, path);
  expect(await failureOf(readOne(slashed, 'bifrost--openai--key'))).toMatchObject({
    failureClass: 'invalid',
    message: expect.stringMatching(/up to 127 letters, digits and dashes, and "--" for a slash/),
  });
  const plain = await connect({ separator: '' });
  expect((await listAll(plain)).map(({ path }) => path)).toContain('bifrost--openai--key');
});

test('a page costs one call, and one that fails is tried again from where it was', async () => {
  const { vault, clock, connect, context } = await startBench();
  for (let index = 0; index < 60; index++) vault.secrets.put(`key-${index}`, 'x');
  let attempts = 0;
  const twice: ConnectContext = {
    ...context,
    call: async (_operation, signal, attempt) => {
      attempts += 1;
      return attempt(signal).catch((error) => {
        if (classOf(error) !== 'unavailable') throw error;
        attempts += 1;
        return attempt(signal);
      });
    },
  };
  const backend = await connect({}, twice);
  await backend.probe(patient);
  attempts = 0;
  const fault = vault.faults.inject({ operation: 'GetSecrets', skip: 1, times: 1, effect: { kind: 'reset' } });
  clock.advance(10);
  expect(await listAll(backend)).toHaveLength(60);
  expect([fault.hits, attempts]).toEqual([1, 4]);
});

test('a page that sends elsewhere for the next one is not followed, with the token or without', async () => {
  const { vault, connect } = await startBench();
  const elsewhere = await startBench();
  for (const nextLink of [
    `${elsewhere.vault.url}/secrets?api-version=7.4`,
    'https://evil.example.com/',
    '/secrets',
    7,
  ]) {
    const body = JSON.stringify({ value: [{ id: `${vault.url}/secrets/a`, attributes: {} }], nextLink });
    const fault = vault.faults.inject({ operation: 'GetSecrets', effect: { kind: 'garbage', body } });
    const failure = await failureOf(listAll(await connect()));
    expect(failure, String(nextLink)).toMatchObject({ code: 'listing_incomplete', failureClass: 'invalid' });
    fault.remove();
  }
  expect(elsewhere.vault.requests.total).toBe(0);
});

test('a page that is followed by itself ends the listing as incomplete', async () => {
  const { vault, connect } = await startBench();
  const body = JSON.stringify({ value: [], nextLink: `${vault.url}/secrets?api-version=7.4&$skiptoken=again` });
  vault.faults.inject({ operation: 'GetSecrets', effect: { kind: 'garbage', body } });
  expect(await failureOf(listAll(await connect()))).toMatchObject({
    code: 'listing_incomplete',
    failureClass: 'invalid',
  });
});

test('an empty page with another one behind it is no end', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('a', 'x');
  const next = JSON.stringify({ value: [], nextLink: `${vault.url}/secrets?api-version=7.4&maxresults=25` });
  vault.faults.inject({ operation: 'GetSecrets', times: 1, effect: { kind: 'garbage', body: next } });
  expect(await listAll(await connect())).toMatchObject([{ path: 'a', version: null, deleted: false, facts: null }]);
});

test('a disabled secret is listed, a deleted one is not', async () => {
  const { vault, connect } = await startBench();
  for (const name of ['a', 'b', 'c']) vault.secrets.put(name, 'x');
  vault.secrets.disable('b');
  vault.secrets.delete('c');
  expect((await listAll(await connect())).map(({ path }) => path)).toEqual(['a', 'b']);
});

test('what fails in the middle says how far it came, and a limit how long to wait', async () => {
  const { vault, connect } = await startBench();
  for (let index = 0; index < 60; index++) vault.secrets.put(`key-${index}`, 'x');
  const backend = await connect();
  await backend.probe(patient);
  vault.setQuota({ transactions: 2, retryAfter: '3' });
  expect(await failureOf(listAll(backend))).toMatchObject({
    code: 'listing_incomplete',
    failureClass: 'throttled',
    retryAfterMs: 3_000,
    message: 'The listing is incomplete after 50 secrets. Could not list the vault: the vault limits requests (429).',
  });
});

test('nothing is asked where no folder is wanted', async () => {
  const { vault, connect } = await startBench();
  const backend = await connect();
  for await (const page of backend.list(scope({ folders: [] }), patient)) expect(page).toEqual([]);
  expect(vault.requests.total).toBe(0);
});

test('pages that lead back to themselves by others end the listing as incomplete', async () => {
  const { vault, connect } = await startBench();
  for (const length of [2, 3, 7]) {
    let asked = 0;
    const faults = Array.from({ length }, (_, index) => {
      const nextLink = `${vault.url}/secrets?api-version=7.4&$skiptoken=page-${index}`;
      return vault.faults.inject({
        when({ operation }) {
          const mine = operation === 'GetSecrets' && asked % length === index;
          if (mine) asked += 1;
          return mine;
        },
        effect: { kind: 'garbage', body: JSON.stringify({ value: [], nextLink }) },
      });
    });
    const ended = AbortSignal.timeout(2_000);
    const backend = await connect();
    const failure = await failureOf(Array.fromAsync(backend.list(scope(), ended)));
    expect(failure, String(length)).toMatchObject({ code: 'listing_incomplete', failureClass: 'invalid' });
    expect(asked).toBeLessThan(4 * length);
    for (const fault of faults) fault.remove();
  }
});
