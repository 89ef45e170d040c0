import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';
import { startWay, type Way } from './support/way.ts';

/** Who is known while Postgres is away. */

let api: TestApi;
let way: Way;
let at = new Date('2026-06-01T12:00:00Z');

beforeAll(async () => {
  const through = async (url: string) => {
    way = await startWay(url);
    return way.url;
  };
  api = await startTestApi({ through: { database: through }, now: () => at });
});
afterAll(async () => {
  await api.close();
  await way.cut();
});

test('somebody is known for 30 seconds, and somebody unknown isn’t refused but told to come again', async () => {
  await api.call('POST', '/v1/identities', { name: 'known' });
  const { token: known } = (await api.call('POST', '/v1/identities/known/tokens', {})).body;
  const { token: unseen } = (await api.call('POST', '/v1/identities/known/tokens', {})).body;
  // It lacks the scope: a route that answers without asking Postgres for more than who it is.
  const statusFor = async (token: string) => (await api.call('GET', '/v1/identities', undefined, token)).status;
  expect(await statusFor(known)).toBe(403);
  await way.cut();
  at = new Date(at.getTime() + 30_000);
  expect(await statusFor(known)).toBe(403);
  const refused = await api.call('GET', '/v1/identities', undefined, unseen);
  expect(refused).toMatchObject({ status: 503, body: { error: { code: 'database_unavailable' } } });
  expect(await statusFor(`kf_${'A'.repeat(43)}`)).toBe(503);
  expect(await statusFor('no-token-of-ours')).toBe(401);
  at = new Date(at.getTime() + 1);
  expect(await statusFor(known)).toBe(503);
  await way.mend();
  for (const token of [known, unseen]) expect(await statusFor(token)).toBe(403);
});
