import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addressOf } from '../support/api-address.ts';
import type { AppProcess } from '../support/processes.ts';
import { openSite, type Site } from '../support/site.ts';

/** A process that is killed after the vault has taken a write, and before it is stored here. */

const token = 'a-token-for-tests-that-is-long';

let site: Site;
beforeEach(async () => {
  site = await openSite();
});
afterEach(() => site.close());

const startApi = () => site.start('api', { KEYFERRY_API_TOKEN: token, KEYFERRY_API_PORT: '0' });

const put = async (api: AppProcess, path: string, value: string) =>
  await fetch(`${await addressOf(api)}/v1/secrets/${path}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ value }),
  });

const intents = () => site.read((tx) => tx.selectFrom('write_intents').select(['kind', 'creates']).execute());
const keys = () =>
  site.read((tx) =>
    tx.selectFrom('keys').select(['local_path', 'state', 'version', 'owned', 'remote_version']).execute(),
  );

test('a write whose process is killed before it is stored here is carried by the next cycle, as owned', {
  timeout: 90_000,
}, async () => {
  await site.addBackend({ access_mode: 'read_and_write', writes: 'write_through' });
  const doomed = await startApi();
  const held = site.vault.faults.inject({ effect: { kind: 'hang_in_body' }, method: 'POST', path: 'secret/data/*' });
  const writing = put(doomed, 'bifrost/new', 'made').catch(() => null);
  await vi.waitUntil(() => held.hits > 0, { timeout: 20_000 });
  expect(site.vault.kv('secret').get('bifrost/new')?.data).toBe('{"value":"made"}');
  await doomed.kill();
  held.remove();
  expect(await writing).toBeNull();
  expect([await keys(), await intents()]).toEqual([[], [{ kind: 'put', creates: true }]]);

  await site.start('scheduler');
  await site.start('worker');
  await site.allEnded(1);
  expect(await keys()).toEqual([
    { local_path: 'bifrost/new', state: 'active', version: 1, owned: true, remote_version: '1' },
  ]);
  expect(await intents()).toEqual([]);

  // It goes on as if nothing had happened.
  const next = await startApi();
  const answer = await put(next, 'bifrost/new', 'again');
  expect([answer.status, await answer.json()]).toMatchObject([200, { version: 2, owned: true }]);
});
