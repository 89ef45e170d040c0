import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** Settings that decide on a key's life: what they take, what they refuse, and what a change of them would do. */

const path = '/v1/federation/backends/life';
let api: TestApi;
let vault: VaultEmulator;

beforeAll(async () => {
  api = await startTestApi();
  vault = await startVaultEmulator();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  for (let number = 1; number <= 10; number++)
    vault.kv('secret').put(`bifrost/key-${number}`, { value: `canary-${number}` });
  const config = {
    address: vault.url,
    mount: 'secret',
    allow_http: true,
    auth: { method: 'token', token: vault.rootToken },
  };
  const { status } = await api.call('POST', '/v1/federation/backends', { name: 'life', kind: 'hashicorp', config });
  expect(status).toBe(201);
  await api.call('POST', `${path}/sync`);
  await api.work();
});
afterAll(async () => {
  await vault.close();
  await api.close();
});

test('are answered as they were given, in durations', async () => {
  const settings = {
    rotation_overlap: '10m',
    lifecycle_rules: [{ paths: ['bifrost/key-1'], grace_period: '2h', rotate_every: '90d' }],
    archive_reminders: ['2d', '30m'],
    expiry_reminders: [],
    validation_rules: [{ paths: ['bifrost/*'], min_length: 3, severity: 'warn' }],
    guard_percent: 10,
    guard_at_least: 5,
  };
  expect(await api.call('PATCH', path, settings)).toMatchObject({ status: 200, body: settings });
  expect((await api.call('GET', path)).body).toMatchObject(settings);
});

describe('are refused, and nothing changes, where', () => {
  test.each<[string, object, string, string]>([
    ['a grace is negative', { grace_period: '-1h' }, 'duration_invalid', 'grace_period'],
    [
      'a pattern can’t be matched in linear time',
      { validation_rules: [{ paths: ['**'], pattern: '(a)\\1' }] },
      'rule_invalid',
      'pattern',
    ],
    [
      'a schema isn’t one',
      { validation_rules: [{ paths: ['**'], json_schema: { type: 'strnig' } }] },
      'rule_invalid',
      'json_schema',
    ],
    [
      'a rule for values matches no key',
      { validation_rules: [{ paths: ['bifrots/*'], min_length: 1 }] },
      'rule_unmatched',
      'validation_rules[0]',
    ],
    [
      'a rule for periods matches no key',
      {
        lifecycle_rules: [
          { paths: ['bifrost/*'], grace_period: '1h' },
          { paths: ['no/**'], rotate_every: '1d' },
        ],
      },
      'rule_unmatched',
      'lifecycle_rules[1]',
    ],
  ])('%s', async (_, settings, code, named) => {
    const before = (await api.call('GET', path)).body;
    for (const suffix of ['', '?dry_run=true']) {
      const { status, body } = await api.call('PATCH', `${path}${suffix}`, settings);
      expect({ status, code: body.error.code }).toEqual({ status: 400, code });
      expect(body.error.message).toContain(named);
    }
    expect((await api.call('GET', path)).body).toEqual(before);
  });

  test('a pattern would take for ever elsewhere: it is taken, and ends', async () => {
    const rules = [{ paths: ['bifrost/*'], pattern: '(a+)+b|canary.*', severity: 'reject' }];
    expect((await api.call('PATCH', path, { validation_rules: rules })).status).toBe(200);
    vault.kv('secret').put('bifrost/key-2', { value: 'a'.repeat(50_000) });
    await api.call('POST', `${path}/sync`);
    await api.work();
    const [finding] = await api.query('SELECT rejected, problems FROM keyferry.findings');
    expect(finding).toMatchObject({ rejected: true, problems: [{ code: 'value_pattern' }] });
  });
});

test('what a change would do is said with counts and paths, without values, and nothing is done', async () => {
  const before = (await api.call('GET', path)).body;
  const { status, body } = await api.call('PATCH', `${path}?dry_run=true`, { sync_paths: ['bifrots/*'] });
  expect(status).toBe(200);
  expect(body).toMatchObject({ backend: 'life', keys: 10, out_of_scope: { count: 10 }, would_hold: true });
  expect(body.out_of_scope.paths).toContain('bifrost/key-1');
  expect(JSON.stringify(body)).not.toContain('canary-');
  expect((await api.call('GET', path)).body).toEqual(before);
});

test('a hold is rejected by name, audited, and over', async () => {
  for (let number = 1; number <= 9; number++) vault.kv('secret').deleteMetadata(`bifrost/key-${number}`);
  await api.call('POST', `${path}/sync`);
  await api.work();
  const [hold] = (await api.call('GET', '/v1/federation/holds')).body.items;
  const rejected = await api.call('POST', `/v1/federation/holds/${hold.id}/reject`);
  expect(rejected).toMatchObject({ status: 200, body: { hold: { state: 'rejected', decided_by: 'api-token' } } });
  const again = await api.call('POST', `/v1/federation/holds/${hold.id}/reject`);
  expect(again).toMatchObject({ status: 409, body: { error: { code: 'hold_over' } } });
  const unknown = await api.call('POST', '/v1/federation/holds/00000000-0000-4000-8000-0000000000ff/reject');
  expect(unknown).toMatchObject({ status: 404, body: { error: { code: 'hold_not_found' } } });
  const audit = await api.query(`SELECT actor FROM keyferry.audit_log WHERE action = 'hold.rejected'`);
  expect(audit).toEqual([{ actor: 'api-token' }]);
});

test('a removal whose hold lists not all of the keys of now is refused, and nothing is removed', async () => {
  const { body } = await api.call('DELETE', `${path}?archive_keys=true`);
  vault.kv('secret').put('bifrost/late', { value: 'canary-late' });
  await api.call('POST', `${path}/sync`);
  await api.work();
  const refused = await api.call('POST', `/v1/federation/holds/${body.held.id}/approve`);
  expect(refused).toMatchObject({ status: 409, body: { error: { code: 'hold_outdated' } } });
  expect((await api.call('GET', path)).status).toBe(200);
  const again = await api.call('DELETE', `${path}?archive_keys=true`);
  expect(again).toMatchObject({ status: 202, body: { held: { id: body.held.id } } });
  expect((await api.call('POST', `/v1/federation/holds/${body.held.id}/approve`)).status).toBe(202);
  expect((await api.call('GET', path)).status).toBe(404);
});
