import { addsUp } from '@keyferry/core';
import { approveHeld, type PlanChange, planSync, rejectHeld, requestPlan } from '@keyferry/pipeline';
import { type BackendSettings, listHolds } from '@keyferry/store';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { everyRow, type Plan, planOf } from '../support/plan.ts';
import { asAdmin } from '../support/test-postgres.ts';

/** What a cycle would do is told before it does it, and nothing is done by telling. */

const hour = 3600;

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(() => house.close());

const secrets = () => house.vault.kv('secret');
const put = (name: string, value = name) => secrets().put(`bifrost/${name}`, { value });
const at = (seconds: number) => new Date(house.clock.now().getTime() + seconds * 1000).toISOString();
const forbid = (path: string) =>
  house.vault.faults.inject({
    effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
    path,
  });

async function openHold() {
  const [hold] = await house.read((tx) => listHolds(tx, { limit: 1 }));
  return hold?.id ?? '';
}

/** Word and path, and a code where there is one. */
const told = ({ changes }: Plan) =>
  changes
    .map(({ change, path, remote_path, code }) => `${change} ${path ?? remote_path}${code ? ` ${code}` : ''}`)
    .sort();

const lineOf = ({ changes }: Plan, path: string): PlanChange | undefined =>
  changes.find((one) => (one.path ?? one.remote_path) === path);

describe('what is read', () => {
  test('new, rotated, renewed, expired, found again, invalid and unreadable secrets are told apart, and nothing is written', async () => {
    for (const name of ['same', 'rotated', 'back', 'ends', 'renewed', 'shut', 'wrong', 'local']) put(name);
    secrets().put('bifrost/renewed', { value: '1' }, { customMetadata: { expires_at: at(hour) } });
    const backend = await house.addBackend({
      conflict_policy: 'manual',
      exclude_paths: ['bifrost/left-out'],
      validation_rules: [{ paths: ['bifrost/wrong'], max_length: 20, severity: 'reject' }],
    });
    await house.cycle(backend);
    secrets().deleteMetadata('bifrost/back');
    await house.cycle(backend);
    house.clock.advance(hour);
    await house.sweep();
    await house.read((tx) =>
      tx
        .updateTable('keys')
        .set({ local_digest: Buffer.alloc(32, 1) })
        .where('remote_path', '=', 'bifrost/local')
        .execute(),
    );

    put('new');
    put('new-placeholder', 'changeme');
    put('left-out');
    put('line\nbreak');
    put('rotated', 'again');
    put('back', 'again');
    put('shut', 'again');
    put('local', 'again');
    put('wrong', 'x'.repeat(30));
    secrets().put('bifrost/ends', { value: 'ends' }, { customMetadata: { expires_at: at(-1) } });
    secrets().put('bifrost/renewed', { value: '1' }, { customMetadata: { expires_at: at(hour) } });
    secrets().put('bifrost/late', { value: 'late' }, { customMetadata: { expires_at: at(-1) } });
    forbid('secret/data/bifrost/shut');

    const before = await everyRow(house.database.ownerUrl);
    const events = (await house.events()).length;
    const plan = await planOf(house, backend);
    expect(await everyRow(house.database.ownerUrl)).toEqual(before);
    expect(await house.events()).toHaveLength(events);

    expect(told(plan)).toEqual(
      [
        'add bifrost/late',
        'add bifrost/new',
        'add bifrost/new-placeholder',
        'conflict bifrost/local conflict_manual',
        'expire bifrost/ends',
        'fail bifrost/shut vault_forbidden',
        'invalid bifrost/wrong value_too_long',
        'restore bifrost/back',
        'restore bifrost/renewed',
        'skip bifrost/left-out',
        'skip bifrost/line\nbreak path_incompatible',
        'update bifrost/rotated',
        'warn bifrost/new-placeholder placeholder',
      ].sort(),
    );
    expect(lineOf(plan, 'bifrost/rotated')).toMatchObject({ from_version: 1, to_version: 2 });
    expect(lineOf(plan, 'bifrost/shut')).toMatchObject({ class: 'forbidden' });
    for (const { reason } of plan.changes) expect(reason).toMatch(/^["A-Z].*\.$/s);
    expect(addsUp(plan.summary.counts)).toBe(true);

    const cycle = await house.cycle(backend);
    expect(plan.summary).toMatchObject({ counts: cycle.counts, issues: cycle.issues, would_hold: false });
  });

  test('a key that was changed here stays, and a plan says why', async () => {
    put('a');
    const backend = await house.addBackend({ conflict_policy: 'local_wins' });
    await house.cycle(backend);
    await house.read((tx) =>
      tx
        .updateTable('keys')
        .set({ local_digest: Buffer.alloc(32, 1) })
        .execute(),
    );
    put('a', 'other');
    const plan = await planOf(house, backend);
    expect(told(plan)).toEqual(['keep bifrost/a']);
    expect(plan.summary.counts).toMatchObject({ ahead: 1 });
  });

  test('the number of the next version counts those that the history brings', async () => {
    put('a', '1');
    const backend = await house.addBackend({ version_history: true });
    await house.cycle(backend);
    for (const value of ['2', '3', '4']) put('a', value);
    expect(lineOf(await planOf(house, backend), 'bifrost/a')).toMatchObject({ from_version: 1, to_version: 4 });
    await house.cycle(backend);
    expect(await house.keys()).toMatchObject([{ version: 4 }]);
  });

  test('paths that are taken, or wanted by two, are told of as a cycle would', async () => {
    put('a');
    await house.cycle(await house.addBackend());
    put('é'.normalize('NFC'));
    put('é'.normalize('NFD'));
    const other = await house.addBackend();
    expect(told(await planOf(house, other))).toEqual([
      'skip bifrost/a path_taken',
      'skip bifrost/é path_ambiguous',
      'skip bifrost/é path_ambiguous',
    ]);
  });

  test('a path of sync_paths below which nothing is found is told of', async () => {
    const backend = await house.addBackend({ sync_paths: ['elsewhere/*'] });
    const plan = await planOf(house, backend);
    expect(plan.changes).toMatchObject([
      { change: 'warn', path: null, remote_path: 'elsewhere/*', code: 'nothing_found' },
    ]);
    expect(plan.summary).toMatchObject({ counts: { empty: 1 }, issues: 1 });
  });

  test('no value is in a plan', async () => {
    const canary = 'canary-4c1f-never-to-be-seen';
    put('plain', canary);
    put('empty-ish', ` ${canary} `);
    put('huge', canary.repeat(80_000));
    const backend = await house.addBackend({
      validation_rules: [{ paths: ['bifrost/plain'], pattern: 'sk-[a-z]+', severity: 'reject' }],
    });
    const body = JSON.stringify({ errors: [canary] });
    put('quoted', canary);
    house.vault.faults.inject({ effect: { kind: 'status', status: 403, body }, path: 'secret/data/bifrost/quoted' });
    const plan = await planOf(house, backend);
    expect(plan.summary.counts).toMatchObject({ invalid: 2, failed: 1, added: 1 });
    expect(JSON.stringify(plan)).not.toContain(canary);
  });
});

describe('what would go', () => {
  async function withKeys(count: number, settings: Partial<BackendSettings> = {}) {
    for (let index = 1; index <= count; index++) put(`k${index}`);
    const backend = await house.addBackend(settings);
    await house.cycle(backend);
    return backend;
  }
  const remove = (...names: string[]) => {
    for (const name of names) secrets().deleteMetadata(`bifrost/${name}`);
  };

  test('what is missing is read directly; what that does not prove gone stays', async () => {
    const backend = await withKeys(9);
    remove('k1', 'k2');
    secrets().delete('bifrost/k3');
    forbid('secret/data/bifrost/k2');
    forbid('secret/metadata/bifrost/k2');
    const plan = await planOf(house, backend);
    expect(told(plan)).toEqual(['deprecate bifrost/k1', 'deprecate bifrost/k3', 'stay bifrost/k2 removal_unconfirmed']);
    const cycle = await house.cycle(backend);
    expect(plan.summary).toMatchObject({ counts: cycle.counts, vault_calls: { confirm: cycle.calls.confirm } });
    expect(await house.states()).toMatchObject({ 'bifrost/k1': 'deprecated', 'bifrost/k2': 'active' });
  });

  test('what the guard would hold is told of without a call, and what a person approved goes', async () => {
    const backend = await withKeys(9);
    remove('k1', 'k2', 'k3', 'k4', 'k5');
    const plan = await planOf(house, backend);
    expect(new Set(plan.changes.map(({ change }) => change))).toEqual(new Set(['hold']));
    expect(plan.summary).toMatchObject({ counts: { held: 5, deprecated: 0 }, would_hold: true });
    expect(plan.summary.vault_calls.confirm).toBeUndefined();
    expect(await house.read((tx) => listHolds(tx, { limit: 1 }))).toEqual([]);

    await house.cycle(backend);
    await house.stopWorkers();
    await approveHeld(house.services, { tenantId: house.tenantId, holdId: await openHold(), by: 'ann' });
    remove('k6');
    const approved = await planOf(house, backend);
    expect(approved.summary).toMatchObject({ counts: { held: 0, deprecated: 6 }, would_hold: false });
  });

  test('secrets that are new count for the guard as they would in a cycle', async () => {
    const backend = await withKeys(8);
    remove('k1', 'k2', 'k3', 'k4', 'k5');
    for (let index = 1; index <= 5; index++) put(`n${index}`);
    const plan = await planOf(house, backend);
    expect(plan.summary).toMatchObject({ counts: { deprecated: 5, added: 5 }, would_hold: false });
    expect((await house.cycle(backend)).counts).toEqual(plan.summary.counts);
  });

  test('keys that come back no longer count as gone, as in a cycle', async () => {
    const backend = await withKeys(10);
    remove('k1', 'k2', 'k3', 'k4');
    expect((await house.cycle(backend)).counts).toMatchObject({ deprecated: 4 });
    for (const name of ['k1', 'k2', 'k3', 'k4']) put(name);
    remove('k5', 'k6', 'k7', 'k8');
    const plan = await planOf(house, backend);
    expect(plan.summary).toMatchObject({ counts: { restored: 4, deprecated: 4 }, would_hold: false });
    expect((await house.cycle(backend)).counts).toEqual(plan.summary.counts);
  });

  test('what a person keeps, what the settings leave out, and what is merely missing are told apart', async () => {
    const backend = await withKeys(9);
    remove('k1', 'k2', 'k3', 'k4', 'k5');
    await house.cycle(backend);
    await rejectHeld(house.services, { tenantId: house.tenantId, holdId: await openHold(), by: 'ann' });
    expect(told(await planOf(house, backend))).toEqual([1, 2, 3, 4, 5].map((number) => `keep bifrost/k${number}`));

    remove('k6');
    await house.change(backend, { exclude_paths: ['bifrost/k7'] });
    const going = (await planOf(house, backend)).changes.filter(({ change }) => change === 'deprecate');
    expect(going).toMatchObject([
      { path: 'bifrost/k6', reason: 'The vault lacks it, as a direct read has shown.' },
      { path: 'bifrost/k7', reason: 'The settings leave it out.' },
    ]);
    await house.change(backend, { auto_deprecate: false });
    const plan = await planOf(house, backend);
    expect(told(plan).filter((line) => line.startsWith('missing'))).toEqual([
      'missing bifrost/k6',
      'missing bifrost/k7',
    ]);
    expect((await house.cycle(backend)).counts).toEqual(plan.summary.counts);
  });

  test('other names are told of, and why a key can’t have one', async () => {
    const backend = await withKeys(4, { guard_at_least: 1000, guard_percent: 50 });
    await house.change(backend, { path_mapping: [{ from: 'bifrost/new', to: 'bifrost/k1' }] });
    const plan = await planOf(house, backend);
    expect(plan.changes).toMatchObject([{ change: 'rename', path: 'bifrost/k1', new_path: 'bifrost/new' }]);
    // A secret that is new in the same cycle has the path by the time the key would be renamed.
    put('new');
    await house.change(backend, {
      path_mapping: [
        { from: 'bifrost/k9', to: 'bifrost/k1' },
        { from: 'bifrost/k9', to: 'bifrost/new' },
      ],
    });
    const crowded = await planOf(house, backend);
    expect(told(crowded)).toContain('stay bifrost/k1 path_taken');
    expect((await house.cycle(backend)).counts).toEqual(crowded.summary.counts);
  });
});

describe('a plan that can’t be made', () => {
  async function synced() {
    for (const name of ['a', 'b', 'c']) put(name);
    put('deep/d');
    const backend = await house.addBackend();
    await house.cycle(backend);
    secrets().deleteMetadata('bifrost/a');
    return backend;
  }

  test.each([
    ['a part of the listing fails', () => void forbid('secret/metadata/bifrost/deep/*'), 'listing_incomplete'],
    ['the vault is sealed', () => house.vault.seal(), 'vault_sealed'],
    ['the mount is gone', () => house.vault.mounts.disable('secret'), 'container_missing'],
  ])('%s: it fails as the cycle does, and says nothing of a removal', async (_what, breakIt, code) => {
    const backend = await synced();
    breakIt();
    await expect(planOf(house, backend)).rejects.toMatchObject({ code });
    const cycle = await house.cycle(backend);
    expect(cycle).toMatchObject({ state: 'failed', error_code: code });
  });

  test('a vault that goes away after the listing fails the plan, after what was read', async () => {
    const backend = await synced();
    for (let index = 0; index < 5; index++) put(`n${index}`);
    const away = { kind: 'status', status: 503, body: { errors: ['x'] } } as const;
    house.vault.faults.inject({ effect: away, path: 'secret/data/*' });
    house.vault.faults.inject({ effect: away, path: 'sys/internal/*', skip: 1 });
    await expect(planOf(house, backend)).rejects.toMatchObject({ failureClass: 'unavailable' });
  });

  test('a container that is not proven to be there lets nothing go', async () => {
    const backend = await synced();
    forbid('sys/internal/*');
    for (const path of ['secret/metadata/', 'secret/'])
      house.vault.faults.inject({
        effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
        operation: 'list',
        path,
      });
    const plan = await planOf(house, backend);
    expect(told(plan)).toEqual(['stay bifrost/a container_unproven']);
    expect((await house.cycle(backend)).counts).toEqual(plan.summary.counts);
  });

  test('a backend of another tenant is not there', async () => {
    const backend = await synced();
    const tenantId = '11111111-1111-4111-8111-111111111111';
    await asAdmin(house.database.ownerUrl, (client) =>
      client.query('INSERT INTO keyferry.tenants (id, name) VALUES ($1, $2)', [tenantId, 'other']),
    );
    const asking = requestPlan(house.services, { tenantId, backend: backend.id, requestedBy: 'eve' });
    await expect(asking).rejects.toMatchObject({ code: 'backend_not_found' });
  });
});

describe('a large backend', () => {
  test('5,000 secrets are read a batch at a time, as they are taken, with the calls of a cycle', {
    timeout: 120_000,
  }, async () => {
    secrets().seed(5_000, (index) => ({ path: `bifrost/k${index}`, data: { value: `${index}` } }));
    const backend = await house.addBackend();
    const asked = await requestPlan(house.services, {
      tenantId: house.tenantId,
      backend: backend.id,
      requestedBy: 't',
    });
    const plan = planSync(house.services, asked, new AbortController().signal);
    const reads = () => house.vault.requests.all.filter(({ path }) => path.startsWith('secret/data/')).length;
    expect(await plan.next()).toMatchObject({ value: { change: 'add' } });
    expect(reads()).toBe(500);
    for (let line = 1; line < 500; line++) await plan.next();
    expect(reads()).toBe(500);
    await plan.next();
    expect(reads()).toBe(1000);
    for (let line = 501; line < 5_000; line++) await plan.next();
    const { done, value } = await plan.next();
    expect(done).toBe(true);
    const cycle = await house.cycle(backend);
    const { login: _, detect: __, ...calls } = (value as Plan['summary']).vault_calls;
    expect(value).toMatchObject({ counts: cycle.counts });
    expect(cycle.calls).toMatchObject(calls);
  });

  test('whoever goes away stops the calls, and leaves the connection to others', async () => {
    secrets().seed(1_200, (index) => ({ path: `bifrost/k${index}`, data: { value: `${index}` } }));
    const backend = await house.addBackend();
    const asked = await requestPlan(house.services, {
      tenantId: house.tenantId,
      backend: backend.id,
      requestedBy: 't',
    });
    const leaving = new AbortController();
    const plan = planSync(house.services, asked, leaving.signal);
    for (let line = 0; line < 500; line++) await plan.next();
    const hanging = house.vault.faults.inject({ effect: { kind: 'hang' }, path: 'secret/data/*' });
    const next = plan.next();
    await vi.waitFor(() => expect(hanging.hits).toBeGreaterThan(0));
    leaving.abort(new Error('gone'));
    await expect(next).rejects.toThrow('gone');
    house.vault.faults.clear();
    const asFarAs = house.vault.requests.total;
    expect((await plan.next()).done).toBe(true);
    expect(house.vault.requests.total).toBe(asFarAs);
    expect((await house.cycle(backend)).counts).toMatchObject({ added: 1_200 });
  });
});
