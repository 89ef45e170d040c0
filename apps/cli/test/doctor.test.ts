import type { BackendAnswer, BackendStatus } from '@keyferry/contracts';
import { expect, test } from 'vitest';
import { examineBackend } from '../src/doctor/api.ts';

const now = new Date('2026-01-01T12:00:00Z');
const before = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString();

const backend = { name: 'team', sync_interval: '5m' } as BackendAnswer;
const healthy = { status: 'healthy', next_sync: before(-60), last_error: null, open_hold: null } as BackendStatus;
const examine = (status: Partial<BackendStatus>) => examineBackend(backend, { ...healthy, ...status }, now);

test('a backend that is well, or paused, is no finding', () => {
  expect(examine({})).toBeNull();
  expect(examine({ status: 'paused', next_sync: null })).toBeNull();
});

test('a cycle that is late by less than an interval is no finding, one that is later is', () => {
  expect(examine({ next_sync: before(299) })).toBeNull();
  expect(examine({ next_sync: before(301) })).toMatchObject({
    result: 'failed',
    action: expect.stringContaining('worker'),
  });
});

test('a failed cycle is told with its code', () => {
  const last_error = { cycle_id: 'id', class: 'unavailable', code: 'vault_sealed', message: 'Sealed.', at: before(9) };
  expect(examine({ status: 'degraded', last_error })).toMatchObject({ result: 'failed', code: 'vault_sealed' });
});

test('held keys and issues are warnings, since the service goes on', () => {
  const open_hold = { id: 'hold', candidates: 9, keys: 9, opened_at: before(9) };
  expect(examine({ status: 'degraded', open_hold })).toMatchObject({
    result: 'warning',
    action: expect.stringContaining('held approve hold'),
  });
  expect(examine({ status: 'degraded' })).toMatchObject({ result: 'warning' });
});
