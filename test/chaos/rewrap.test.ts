import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addressOf } from '../support/api-address.ts';
import { openSite, type Site } from '../support/site.ts';

let site: Site;

beforeEach(async () => {
  site = await openSite();
});
afterEach(() => site.close());

const token = 'a-token-for-the-api-of-a-test';
const canary = 'canary-77f1-value';
const keyCount = 4_000;

const start = (masterKey: Record<string, string> = {}) =>
  site.start('api', { KEYFERRY_API_TOKEN: token, KEYFERRY_API_PORT: '0', KEYFERRY_LOG_LEVEL: 'debug', ...masterKey });

/** How many values each data key has sealed, the most first. */
const sealedBy = () =>
  site.read(async (tx) => {
    const rows = await tx
      .selectFrom('key_versions')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .groupBy('encryption_key_id')
      .orderBy('count', 'desc')
      .execute();
    return rows.map(({ count }) => count);
  });

test('a rewrap whose process is killed is gone on with by another, and both master keys are never shown', async () => {
  site.vault.kv('secret').seed(keyCount, (index) => ({ path: `bifrost/k${index}`, data: { value: canary } }));
  await site.addBackend();
  const [scheduler, worker] = [await site.start('scheduler'), await site.start('worker')];
  await site.allEnded(1);
  await scheduler.stop();
  await worker.stop();
  const next = Buffer.alloc(32, 11).toString('base64');
  const both = {
    KEYFERRY_MASTER_KEY: next,
    KEYFERRY_MASTER_KEY_PREVIOUS: site.environment.KEYFERRY_MASTER_KEY ?? '',
  };
  const first = await start(both);
  const post = async (address: string, path: string) =>
    await fetch(`${address}/v1/encryption/${path}`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  expect((await post(await addressOf(first), 'rotate')).status).toBe(200);
  const asking = post(await addressOf(first), 'rewrap')
    .then((response) => response.text())
    .catch(() => 'broken off');
  await vi.waitFor(async () => expect((await sealedBy()).length).toBe(2), { timeout: 20_000, interval: 5 });
  await first.kill();
  await asking;
  const half = await sealedBy();
  expect(half.reduce((sum, count) => sum + count, 0)).toBe(keyCount);
  const second = await start(both);
  const address = await addressOf(second);
  const lines = (await (await post(address, 'rewrap')).text()).trimEnd().split('\n');
  const { summary } = JSON.parse(lines.at(-1) ?? '');
  expect(summary).toMatchObject({ failed: 0, retired: 1 });
  // What the first one had done was not done again.
  expect(summary.resealed).toBeLessThanOrEqual(keyCount + 1);
  if (half.length === 2) expect(summary.resealed).toBeLessThan(keyCount + 1);
  expect(await sealedBy()).toEqual([keyCount]);
  const headers = { authorization: `Bearer ${token}` };
  const read = await fetch(`${address}/v1/secrets/bifrost/k17`, { headers });
  expect(await read.text()).toContain(canary);
  const output = first.output() + second.output();
  for (const secret of [canary, next, site.environment.KEYFERRY_MASTER_KEY ?? '', token])
    expect(output).not.toContain(secret);
  await second.stop();

  await (await start({ KEYFERRY_MASTER_KEY: next })).stop();
  await expect(start()).rejects.toThrow('master_key_mismatch');
}, 180_000);
