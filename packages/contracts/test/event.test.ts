import { type CycleCounts, type EventType, emptyCounts, eventTypes } from '@keyferry/core';
import { expect, test } from 'vitest';
import { cloudEvent, eventQuery, type OutboxEvent, toCloudEvent } from '../src/index.ts';

const id = '00000000-0000-4000-8000-00000000000a';
const about = { backend_id: id, backend: 'main', kind: 'box' };
const counts: CycleCounts = emptyCounts();
const time = '2026-11-22T00:00:00.000Z';
const cycle = {
  ...about,
  cycle_id: id,
  scope: 'full',
  trigger: 'hand',
  replay_of: null,
  opened_at: time,
  closed_at: time,
  duration_ms: 0,
  counts,
  issues: 0,
  vault_calls: { list: 1 },
};

const keys = { ...about, cycle_id: null, paths: ['a/b'] };
const person = { actor: 'ann', reason: 'leaked' };
const withKey = (facts: object) => ({ ...keys, keys: [{ path: 'a/b', ...facts }] });

const dataOf: Record<EventType, Record<string, unknown>> = {
  'federation.sync.completed': cycle,
  'federation.sync.failed': cycle,
  'federation.backend.unreachable': { ...about, failures: 3, code: 'vault_timeout', message: 'No answer.' },
  'federation.backend.recovered': { ...about, unreachable_since: time },
  'keys.created': keys,
  'keys.rotated': withKey({ from_version: 1, to_version: 2 }),
  'keys.rolled_back': { ...withKey({ from_version: 2, to_version: 3 }), ...person },
  'keys.rotation_overdue': withKey({ due_at: time }),
  'keys.invalid': withKey({ code: 'value_pattern', message: 'It does not match.', served_version: 1 }),
  'keys.missing': keys,
  'keys.renamed': withKey({ renamed_from: 'a/c' }),
  'keys.restored': keys,
  'keys.deprecated': keys,
  'keys.archiving_soon': withKey({ at: time }),
  'keys.expiring_soon': withKey({ at: time }),
  'keys.archived': keys,
  'keys.expired': keys,
  'keys.revoked': { ...keys, ...person, urgent: true },
  'keys.unrevoked': { ...keys, ...person },
  'keys.deleted': { ...keys, actor: 'ann', removed_from: 'store' },
  'keys.purged': keys,
  'conflict.detected': withKey({ kind: 'changed', remote_version: '2' }),
  'conflict.resolved': { ...keys, keep: 'remote', actor: 'ann' },
  'deprecation.held': { ...about, cycle_id: id, hold_id: id, candidates: 9, keys: 9 },
  'deprecation.settled': { ...about, hold_id: id, state: 'rejected', actor: 'ann' },
  'audit.anchored': { number: 12, hash: 'ab'.repeat(32) },
};

const stored = (type: OutboxEvent['type'], data = dataOf[type]): OutboxEvent => ({
  id,
  tenant_id: id,
  backend_id: 'backend' in dataOf[type] ? id : null,
  seq: 7,
  type,
  data,
  occurred_at: new Date(time),
});

test.each(eventTypes)('%s is a CloudEvent whose data have a shape', (type) => {
  const sent = toCloudEvent(stored(type));
  expect(cloudEvent.parse(sent)).toEqual(sent);
  expect(sent).toMatchObject({
    specversion: '1.0',
    type,
    subject: type === 'audit.anchored' ? 'tenant' : 'main',
    sequence: '7',
    time,
  });
  expect(cloudEvent.safeParse(toCloudEvent(stored(type, about))).success).toBe(false);
});

test('the attributes of an event have names that CloudEvents allows', () => {
  for (const name of Object.keys(toCloudEvent(stored('keys.created')))) expect(name).toMatch(/^[a-z0-9]{1,20}$/);
});

test('events are read after a position or from now on', () => {
  expect(eventQuery.parse({})).toEqual({ after: 0, limit: 100 });
  expect(eventQuery.parse({ after: 'now' }).after).toBe('now');
  expect(eventQuery.parse({ after: '12', limit: '5' })).toEqual({ after: 12, limit: 5 });
  for (const query of [{ after: '-1' }, { after: 'then' }, { limit: '0' }, { limit: '501' }, { since: '1' }])
    expect(eventQuery.safeParse(query).success).toBe(false);
});
