import { addsUp, KeyferryError } from '@keyferry/core';
import { approveHeld, rejectHeld, requestSync } from '@keyferry/pipeline';
import { type Backend, type BackendSettings, listHolds } from '@keyferry/store';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { everyRow, planOf } from '../support/plan.ts';
import { deleteHere } from '../support/written.ts';

/** Whatever has happened to a vault, a backend and its keys: the plan says what the cycle after it does. */

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'] as const;
const name = fc.constantFrom(...names);

/** One thing that happens between two cycles. */
const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      name,
      value: fc.constantFrom('1', '2', 'changeme', 'far too long'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('remove' as const, 'destroy' as const, 'delete' as const), name }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('end' as const, 'renew' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('touch' as const, 'bury' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forbid' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.constantFrom(1, 12, 30) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('approve' as const, 'reject' as const, 'forget' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('change' as const), to: fc.nat(10) }) },
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** What may be changed of a backend's settings; `at` is its folder. */
const settingsOf = (at: string, choice: number): Partial<BackendSettings> =>
  [
    { auto_deprecate: false },
    { auto_deprecate: true },
    { exclude_paths: [`${at}/a`, `${at}/b`] },
    { exclude_paths: [] },
    {
      path_mapping: [
        { from: `${at}/one`, to: `${at}/c` },
        { from: `${at}/c`, to: `${at}/d` },
      ],
    },
    { path_mapping: [{ from: `${at}/moved/*`, to: `${at}/*` }] },
    { path_mapping: [] },
    { conflict_policy: 'manual' as const },
    { version_history: true },
    { conflict_policy: 'local_wins' as const },
    { conflict_policy: 'backend_wins' as const },
  ][choice] ?? {};

const situation = fc.record({
  first: fc.uniqueArray(name, { minLength: 3 }),
  rounds: fc.array(fc.array(happening, { minLength: 1, maxLength: 14 }), { minLength: 1, maxLength: 3 }),
});

/** Does one thing; `world` is the folder that a run has for itself. */
async function happen(backend: Backend, at: string, one: Happening): Promise<void> {
  const secrets = house.vault.kv('secret');
  const inSeconds = (seconds: number) => new Date(house.clock.now().getTime() + seconds * 1000).toISOString();
  const path = 'name' in one ? `${at}/${one.name}` : at;
  const there = 'name' in one && secrets.get(path)?.deleted === false;
  switch (one.kind) {
    case 'put':
      return void secrets.put(path, { value: one.value });
    case 'remove':
      return void (there && secrets.deleteMetadata(path));
    case 'destroy':
      return void (there && secrets.destroy(path));
    case 'delete':
      return void (there && secrets.delete(path));
    case 'end':
      return void secrets.put(path, { value: '1' }, { customMetadata: { expires_at: inSeconds(-1) } });
    case 'renew':
      return void secrets.put(path, { value: '1' }, { customMetadata: { expires_at: inSeconds(3600) } });
    case 'forbid':
      house.vault.faults.inject({
        effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
        path: `secret/data/${path}`,
        times: 1_000,
      });
      return;
    case 'touch':
      await house.read((tx) =>
        tx
          .updateTable('keys')
          .set({ local_digest: Buffer.alloc(32, 1) })
          .where('remote_path', '=', path)
          .execute(),
      );
      return;
    case 'bury':
      // Where there is nothing to delete, or nobody's word counts any more.
      await deleteHere(house, { backend, path }).catch((error: unknown) => {
        if (!(error instanceof KeyferryError)) throw error;
      });
      return;
    case 'wait':
      house.clock.advance(one.hours * 3600);
      await house.sweep();
      return;
    case 'approve':
    case 'reject':
      return await decide(backend, one.kind);
    case 'forget':
      return house.vault.faults.clear();
    case 'change':
      await house.change(backend, settingsOf(at, one.to));
  }
}

async function decide(backend: Backend, word: 'approve' | 'reject'): Promise<void> {
  const [hold] = await house.read((tx) => listHolds(tx, { backendId: backend.id, limit: 1 }));
  if (!hold) return;
  const request = { tenantId: house.tenantId, holdId: hold.id, by: 'ann' };
  if (word === 'reject') return void (await rejectHeld(house.services, request));
  // The cycle that an approval opens is over before anything else happens.
  const { cycle } = await approveHeld(house.services, request);
  if (cycle) await house.ended(cycle.id);
}

/** Calls that belong to the work itself: whoever connects first logs in. */
function workOf({ login: _, detect: __, ...calls }: Record<string, number>) {
  return calls;
}

let run = 0;

const full = process.env.KEYFERRY_TEST_FULL === '1';

test('the plan’s counts and calls are those of the cycle that runs right after it, and the plan writes nothing', {
  timeout: 300_000,
}, async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(situation, async ({ first, rounds }) => {
      const at = `run-${++run}`;
      for (const one of first) house.vault.kv('secret').put(`${at}/${one}`, { value: '0' });
      const backend = await house.addBackend({
        prefix: at,
        sync_paths: [`${at}/*`],
        guard_at_least: 4,
        validation_rules: [{ paths: [`${at}/**`], max_length: 8, severity: 'reject' }],
      });
      await house.cycle(backend);
      for (const round of rounds) {
        house.clock.advance(1);
        for (const one of round) await happen(backend, at, one);
        house.clock.advance(1);
        const before = await everyRow(house.database.ownerUrl);
        const { changes, summary } = await planOf(house, backend);
        expect(await everyRow(house.database.ownerUrl)).toEqual(before);
        for (const { change } of changes) seen.add(change);

        const { id } = await requestSync(house.services, {
          tenantId: house.tenantId,
          backend: backend.id,
          requestedBy: 'test',
        });
        const cycle = await house.ended(id);
        expect(cycle.state).toBe('completed');
        expect(summary.counts).toEqual(cycle.counts);
        expect(summary.issues).toBe(cycle.issues);
        expect(workOf(summary.vault_calls)).toEqual(workOf(cycle.calls as Record<string, number>));
        expect(addsUp(summary.counts)).toBe(true);
      }
      house.vault.faults.clear();
    }),
    { numRuns: full ? 150 : 20, endOnFailure: true },
  );
  // Otherwise the situations were too tame to tell anything. A few don't have all of them, by chance.
  if (!full) return;
  for (const word of ['add', 'update', 'restore', 'deprecate', 'hold', 'rename', 'invalid', 'fail', 'warn'])
    expect(seen).toContain(word);
});
