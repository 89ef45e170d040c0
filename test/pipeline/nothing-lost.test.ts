import { addsUp, type CycleCounts } from '@keyferry/core';
import type { FaultEffect } from '@keyferry/emulators';
import type { Backend, Cycle } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';

/** Invariant 1: absence needs proof. Whatever a vault answers but absence, nothing is deprecated. */

let house: House;
let backend: Backend;

beforeEach(async () => {
  house = await openHouse({ deadlineMs: 300 });
  const secrets = house.vault.kv('secret');
  for (const path of ['a', 'b', 'c', 'team/d', 'team/e']) secrets.put(`bifrost/${path}`, { value: path });
  backend = await house.addBackend();
  await house.cycle(backend);
});
afterEach(() => house.close());

async function expectNothingLost(cycle: Cycle) {
  expect(Object.values(await house.states())).toEqual(Array(5).fill('active'));
  expect(await house.events('keys.deprecated')).toEqual([]);
  expect(await house.events('deprecation.held')).toEqual([]);
  expect(addsUp(cycle.counts as CycleCounts)).toBe(true);
}

async function failedCycle(code: string): Promise<Cycle> {
  const cycle = await house.cycle(backend);
  expect(cycle).toMatchObject({ state: 'failed', error_code: code });
  await expectNothingLost(cycle);
  return cycle;
}

async function useToken(rules: Record<string, string[]>) {
  house.vault.policies.write('app', rules as never);
  const token = house.vault.tokens.create({ policies: ['app'] });
  backend = await changeAuth({ method: 'token', token });
}

async function changeAuth(auth: Record<string, unknown>, config?: Record<string, unknown>): Promise<Backend> {
  return await house.change(backend, { auth, ...(config && { config }) });
}

describe('nothing is deprecated by', () => {
  test('a forbidden listing', async () => {
    await useToken({ 'secret/data/bifrost/*': ['read'], 'secret/metadata/other/*': ['list'] });
    const cycle = await failedCycle('listing_incomplete');
    expect(cycle.error_class).toBe('forbidden');
  });

  test('a forbidden folder in the middle of the listing', async () => {
    await useToken({
      'secret/data/bifrost/*': ['read'],
      'secret/metadata/bifrost/*': ['list', 'read'],
      'secret/metadata/bifrost/team/': ['deny'],
    });
    await failedCycle('listing_incomplete');
  });

  test('a forbidden secret: it is named, the others go on', async () => {
    house.vault.kv('secret').put('bifrost/a', { value: 'changed' });
    house.vault.kv('secret').put('bifrost/b', { value: 'changed' });
    await useToken({
      'secret/data/bifrost/*': ['read'],
      'secret/data/bifrost/a': ['deny'],
      'secret/metadata/bifrost/*': ['list', 'read'],
    });
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ state: 'completed', issues: 1, counts: { failed: 1, updated: 1, unchanged: 3 } });
    expect(await house.issues(cycle.id)).toMatchObject([
      { remote_path: 'bifrost/a', code: 'vault_forbidden', class: 'forbidden' },
    ]);
    expect(await house.value('bifrost/a')).toBe('{"value":"a"}');
    await expectNothingLost(cycle);
  });

  test('a policy that hides both listing and reading of a deleted-looking secret', async () => {
    house.vault.faults.inject({
      effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
      path: '*/bifrost/c',
    });
    house.vault.kv('secret').deleteMetadata('bifrost/c');
    const cycle = await house.cycle(backend);
    expect(cycle.counts).toMatchObject({ deprecated: 0, unconfirmed: 1 });
    expect(await house.issues(cycle.id)).toMatchObject([
      { remote_path: 'bifrost/c', code: 'removal_unconfirmed', class: 'forbidden' },
    ]);
    await expectNothingLost(cycle);
  });

  test('a listing that leaves out a secret which a direct read finds', async () => {
    const body = JSON.stringify({ data: { keys: ['a', 'b', 'team/'] } });
    const effect = { kind: 'garbage', body, contentType: 'application/json' } as const;
    house.vault.faults.inject({ effect, operation: 'list', path: 'secret/metadata/bifrost/' });
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ state: 'completed', counts: { deprecated: 0, unconfirmed: 1, unchanged: 4 } });
    expect(await house.issues(cycle.id)).toMatchObject([{ remote_path: 'bifrost/c', code: 'hidden_from_listing' }]);
    await expectNothingLost(cycle);
  });

  test('a container that can’t be proven to be there', async () => {
    house.vault.kv('secret').deleteMetadata('bifrost/c');
    const denied: FaultEffect = { kind: 'status', status: 403, body: { errors: ['permission denied'] } };
    house.vault.faults.inject({ effect: denied, path: 'sys/internal/*' });
    house.vault.faults.inject({ effect: denied, operation: 'list', path: 'secret/metadata/' });
    house.vault.faults.inject({ effect: denied, operation: 'list', path: 'secret/' });
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ state: 'completed', counts: { deprecated: 0, unconfirmed: 1, unchanged: 4 } });
    expect(await house.issues(cycle.id)).toMatchObject([{ remote_path: 'bifrost/c', code: 'container_unproven' }]);
    await expectNothingLost(cycle);
  });

  test('a container that is no longer proven after the direct reads', async () => {
    house.vault.kv('secret').deleteMetadata('bifrost/c');
    const denied: FaultEffect = { kind: 'status', status: 403, body: { errors: ['permission denied'] } };
    house.vault.faults.inject({ effect: denied, path: 'sys/internal/*', skip: 1 });
    house.vault.faults.inject({ effect: denied, operation: 'list', path: 'secret/metadata/' });
    house.vault.faults.inject({ effect: denied, operation: 'list', path: 'secret/' });
    const cycle = await house.cycle(backend);
    expect(cycle.counts).toMatchObject({ deprecated: 0, unconfirmed: 1 });
    await expectNothingLost(cycle);
  });

  test('a sealed vault', async () => {
    house.vault.seal();
    await failedCycle('vault_sealed');
  });

  test('a missing mount', async () => {
    house.vault.mounts.disable('secret');
    await failedCycle('container_missing');
  });

  test('a mount that vanishes between the listing and the direct reads', async () => {
    house.vault.kv('secret').deleteMetadata('bifrost/a');
    house.vault.faults.inject({
      effect: {
        kind: 'status',
        status: 404,
        body: { errors: ['no handler for route "secret/metadata/bifrost/a". route entry not found.'] },
      },
      path: 'secret/metadata/bifrost/a',
    });
    const cycle = await house.cycle(backend);
    expect(cycle.counts).toMatchObject({ deprecated: 0, unconfirmed: 1 });
    await expectNothingLost(cycle);
  });

  test('a wrong namespace', async () => {
    backend = await changeAuth(
      { method: 'token', token: house.vault.rootToken },
      { address: house.vault.url, mount: 'secret', namespace: 'elsewhere' },
    );
    await failedCycle('container_missing');
  });

  test('a wrong token', async () => {
    backend = await changeAuth({ method: 'token', token: 'hvs.wrong' });
    const cycle = await failedCycle('vault_unauthenticated');
    expect(cycle.error_message).not.toContain('hvs.wrong');
  });

  test('a 429 storm', async () => {
    house.vault.faults.inject({ effect: { kind: 'status', status: 429, headers: { 'retry-after': '0' } } });
    await failedCycle('vault_throttled');
  });

  test('a 429 storm that begins when the values are read', async () => {
    for (const path of ['a', 'b', 'c']) house.vault.kv('secret').put(`bifrost/${path}`, { value: 'changed' });
    const storm = house.vault.faults.inject({ effect: { kind: 'status', status: 429 }, path: 'secret/data/*' });
    house.vault.faults.inject({ effect: { kind: 'status', status: 429 }, path: 'sys/*', skip: 2 });
    const cycle = await house.cycle(backend);
    expect(cycle.state).toBe('failed');
    expect(storm.hits).toBeGreaterThan(3);
    await expectNothingLost(cycle);
  });

  test('a vault that hangs', async () => {
    house.vault.faults.inject({ effect: { kind: 'hang' } });
    await failedCycle('vault_timeout');
  });

  test('a vault that hangs in the body of a listing', async () => {
    house.vault.faults.inject({ effect: { kind: 'hang_in_body' }, operation: 'list' });
    await failedCycle('listing_incomplete');
  });

  test.each([
    ['garbage', { kind: 'garbage' }],
    ['HTML', { kind: 'garbage', body: '<html>welcome</html>', contentType: 'text/html' }],
    ['JSON of another shape', { kind: 'garbage', body: '{"data":{"entries":[]}}', contentType: 'application/json' }],
    ['an empty object', { kind: 'garbage', body: '{}', contentType: 'application/json' }],
    ['a truncated answer', { kind: 'truncate' }],
    ['a cut answer of the right length', { kind: 'cut' }],
    ['a reset in the body', { kind: 'reset_in_body' }],
    ['a 404 with a page', { kind: 'status', status: 404, body: '<h1>Not Found</h1>' }],
    ['a 502', { kind: 'status', status: 502, body: '<h1>Bad Gateway</h1>' }],
  ] as const)('a listing that is %s', async (_name, effect) => {
    house.vault.faults.inject({ effect, operation: 'list' });
    const cycle = await failedCycle('listing_incomplete');
    expect(cycle.error_message).not.toMatch(/html|h1|Not Found|Bad Gateway/);
  });

  test('a truncated listing of one folder', async () => {
    house.vault.faults.inject({
      effect: { kind: 'truncate' },
      operation: 'list',
      path: 'secret/metadata/bifrost/team/*',
    });
    await failedCycle('listing_incomplete');
  });

  test('a vault that is not there', async () => {
    await house.vault.close();
    await failedCycle('vault_unavailable');
  });
});

test('after any of them the next cycle goes on as if nothing had been', async () => {
  house.vault.seal();
  await failedCycle('vault_sealed');
  house.vault.unseal();
  expect(await house.cycle(backend)).toMatchObject({ state: 'completed', counts: { unchanged: 5 } });
});

test('three failures to connect in a row are told of once, and so is the recovery', async () => {
  house.vault.seal();
  for (let failures = 1; failures <= 4; failures++) await house.cycle(backend);
  expect(await house.events('federation.sync.failed')).toHaveLength(4);
  expect(await house.events('federation.backend.unreachable')).toHaveLength(1);
  house.vault.unseal();
  await house.cycle(backend);
  await house.cycle(backend);
  expect(await house.events('federation.backend.recovered')).toHaveLength(1);
});
