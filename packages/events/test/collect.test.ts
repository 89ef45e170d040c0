import {
  defaultTenantId,
  lastEventPosition,
  notificationCursor,
  pruneEvents,
  removeRule,
  updateRule,
} from '@keyferry/store';
import { beforeEach, describe, expect, test } from 'vitest';
import { collectNotices } from '../src/index.ts';
import { type Office, openOffice } from './support/office.ts';

const cycle = '0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69';
const paths = (from: number, count: number) => Array.from({ length: count }, (_, index) => `prod/key-${from + index}`);

let office: Office;
let backend: string;
beforeEach(async () => {
  office = await openOffice();
  backend = await office.addBackend('team');
});

const hook = () => office.addWebhook('http://127.0.0.1:1/');
const read = <T>(work: Parameters<typeof office.store.inTenant<T>>[1]) => office.store.inTenant(defaultTenantId, work);
const told = async () =>
  (await office.notices()).map(({ rule_name, state, message }) => ({
    rule: rule_name,
    state,
    events: Object.fromEntries(message.events.map(({ type, keys }) => [type, keys])),
  }));

describe('one message', () => {
  test('tells of a cycle with 1,200 keys over several events and several runs, once it has ended', async () => {
    await office.addRule(await hook(), { name: 'all' });
    await office.happen(backend, ['keys.created', { cycle_id: cycle, paths: paths(0, 500) }]);
    expect(await office.collect()).toBe(1);
    await office.happen(backend, ['keys.created', { cycle_id: cycle, paths: paths(500, 500) }]);
    await office.happen(backend, ['keys.rotated', { cycle_id: cycle, paths: paths(1000, 7), keys: [] }]);
    await office.collect();
    expect(await told()).toMatchObject([{ state: 'collecting' }]);
    await office.happen(backend, ['keys.created', { cycle_id: cycle, paths: paths(1007, 200) }]);
    await office.happen(backend, ['federation.sync.completed', { cycle_id: cycle, issues: 3 }]);
    await office.collect();
    expect(await told()).toEqual([
      {
        rule: 'all',
        state: 'pending',
        events: { 'keys.created': 1200, 'keys.rotated': 7, 'federation.sync.completed': 0 },
      },
    ]);
    const [notice] = await office.notices();
    expect(notice?.message).toMatchObject({ backend: 'team', cycle_id: cycle, severity: 'info' });
    const created = notice?.message.events.find(({ type }) => type === 'keys.created');
    expect(created).toMatchObject({ events: 3, keys: 1200, paths: paths(0, 20) });
  });

  test('of a cycle is for each rule, and is complete whether or not the rule tells of the cycle’s end', async () => {
    const channel = await hook();
    await office.addRule(channel, { name: 'a', event_types: ['keys.deprecated'] });
    await office.addRule(channel, { name: 'b', min_severity: 'warning' });
    await office.happen(
      backend,
      ['keys.created', { cycle_id: cycle, paths: ['a'] }],
      ['keys.deprecated', { cycle_id: cycle, paths: ['b', 'c'] }],
      ['federation.sync.completed', { cycle_id: cycle }],
    );
    await office.collect();
    expect(await told()).toEqual([
      { rule: 'a', state: 'pending', events: { 'keys.deprecated': 2 } },
      { rule: 'b', state: 'pending', events: { 'keys.deprecated': 2 } },
    ]);
  });

  test('of a cycle whose end never comes is sent after an hour', async () => {
    await office.addRule(await hook());
    await office.happen(backend, ['keys.created', { cycle_id: cycle, paths: ['a'] }]);
    await office.collect();
    office.advance(3_599);
    await office.collect();
    expect(await told()).toMatchObject([{ state: 'collecting' }]);
    office.advance(1);
    await office.collect();
    expect(await told()).toMatchObject([{ state: 'pending' }]);
  });

  test('tells of what happens apart from cycles in one minute, once that is over', async () => {
    await office.addRule(await hook());
    await office.happen(backend, ['keys.expired', { cycle_id: null, paths: ['a'] }]);
    await office.collect();
    office.advance(59);
    await office.happen(backend, ['keys.archived', { cycle_id: null, paths: ['b'] }]);
    await office.collect();
    expect(await told()).toMatchObject([{ state: 'collecting' }]);
    office.advance(1);
    await office.happen(backend, ['keys.archived', { cycle_id: null, paths: ['c'] }]);
    await office.collect();
    expect(await told()).toMatchObject([
      { state: 'pending', events: { 'keys.expired': 1, 'keys.archived': 1 } },
      { state: 'collecting', events: { 'keys.archived': 1 } },
    ]);
  });

  test.each([
    [
      'keys.revoked',
      { cycle_id: null, paths: ['a'], actor: 'ann', reason: 'leaked', urgent: true },
      ['By ann: leaked'],
    ],
    [
      'federation.backend.unreachable',
      { failures: 3, code: 'vault_unavailable', message: 'It is away.' },
      ['3 failures in a row. It is away. (vault_unavailable)'],
    ],
  ] as const)('of %s waits for nothing', async (type, data, notes) => {
    await office.addRule(await hook());
    await office.happen(backend, [type, data]);
    await office.collect();
    expect(await told()).toMatchObject([{ state: 'pending' }]);
    expect((await office.notices())[0]?.message.events[0]?.notes).toEqual(notes);
  });

  test('names what waits for a person’s word', async () => {
    await office.addRule(await hook(), { min_severity: 'critical' });
    const hold = { cycle_id: cycle, hold_id: cycle, candidates: 30, keys: 40 };
    await office.happen(backend, ['deprecation.held', hold], ['federation.sync.completed', { cycle_id: cycle }]);
    await office.collect();
    const [notice] = await office.notices();
    expect(notice?.message).toMatchObject({ severity: 'critical', hold_ids: [cycle] });
    expect(notice?.message.events[0]?.notes).toEqual([`30 of 40 keys would go: keyferry held approve ${cycle}`]);
  });
});

describe('a rule', () => {
  const deprecated = (...names: string[]) => ['keys.deprecated', { cycle_id: null, paths: names }] as const;

  test('with path globs tells of the paths that match, and not of events that name none', async () => {
    await office.addRule(await hook(), { paths: ['prod/**', 'dev/*'] });
    await office.happen(
      backend,
      [...deprecated('prod/a/b', 'dev/a', 'dev/a/b', 'other')],
      [...deprecated('other')],
      ['federation.backend.recovered', {}],
    );
    office.advance(60);
    await office.collect();
    const [notice, ...more] = await office.notices();
    expect(more).toEqual([]);
    expect(notice?.message.events).toMatchObject([
      { type: 'keys.deprecated', events: 1, keys: 2, paths: ['prod/a/b', 'dev/a'] },
    ]);
  });

  test('of a severity tells of that and what is graver; of a backend, of that one alone', async () => {
    const other = await office.addBackend('other');
    const channel = await hook();
    await office.addRule(channel, { name: 'critical', min_severity: 'critical' });
    await office.addRule(channel, { name: 'warning', min_severity: 'warning', backend_ids: [other] });
    for (const id of [backend, other])
      await office.happen(
        id,
        ['keys.created', { cycle_id: null, paths: ['a'] }],
        ['keys.expired', { cycle_id: null, paths: ['a'] }],
        ['keys.revoked', { cycle_id: null, paths: ['a'] }],
      );
    office.advance(60);
    await office.collect();
    expect(await told()).toEqual(
      expect.arrayContaining([
        { rule: 'critical', state: 'pending', events: { 'keys.revoked': 1 } },
        { rule: 'critical', state: 'pending', events: { 'keys.revoked': 1 } },
        { rule: 'warning', state: 'pending', events: { 'keys.revoked': 1 } },
        { rule: 'warning', state: 'pending', events: { 'keys.expired': 1 } },
      ]),
    );
    expect(await told()).toHaveLength(4);
  });

  test('tells of what comes after it, and after it was paused', async () => {
    await office.happen(backend, [...deprecated('before')]);
    const { id } = await office.addRule(await hook());
    const change = (state: 'active' | 'paused') =>
      read((tx) => updateRule(tx, defaultTenantId, id, { state }, office.now()));
    await change('paused');
    await office.happen(backend, [...deprecated('while paused')]);
    await change('active');
    await office.happen(backend, [...deprecated('after')]);
    office.advance(60);
    await office.collect();
    expect((await office.notices()).flatMap(({ message }) => message.events[0]?.paths)).toEqual(['after']);
  });

  test('that is removed discards what it has begun to collect; what waits to be sent stays', async () => {
    const { id } = await office.addRule(await hook());
    await office.happen(backend, [...deprecated('a')]);
    await office.happen(backend, ['keys.revoked', { cycle_id: null, paths: ['b'] }]);
    await office.collect();
    await read((tx) => removeRule(tx, defaultTenantId, id, office.now()));
    expect((await told()).map(({ state }) => state).sort()).toEqual(['discarded', 'pending']);
  });
});

test('without rules the place in the outbox moves to its end, and nothing is told', async () => {
  await office.happen(backend, ['keys.created', { paths: ['a'] }], ['keys.created', { paths: ['b'] }]);
  await office.collect();
  expect(await read(notificationCursor)).toBe(await read(lastEventPosition));
  expect(await office.notices()).toEqual([]);
});

test('events are kept until they were matched with the rules, however long ago they were delivered', async () => {
  await office.happen(backend, ['keys.created', { paths: ['a'] }]);
  await read((tx) => tx.updateTable('outbox').set({ delivered_at: office.now() }).execute());
  const later = new Date(office.now().getTime() + 1);
  expect(await read((tx) => pruneEvents(tx, later))).toBe(0);
  await office.collect();
  expect(await read((tx) => pruneEvents(tx, later))).toBe(1);
});

test('several collectors at once count every event once', async () => {
  await office.addRule(await hook());
  for (let number = 0; number < 250; number++)
    await office.happen(backend, ['keys.created', { cycle_id: cycle, paths: [`k/${number}`] }]);
  await office.happen(backend, ['federation.sync.completed', { cycle_id: cycle }]);
  const { store, now } = office;
  await Promise.all([1, 2, 3, 4].map(() => collectNotices({ store, now })));
  await office.collect();
  expect(await told()).toMatchObject([{ state: 'pending', events: { 'keys.created': 250 } }]);
});
