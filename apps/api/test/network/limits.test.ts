import { openRedis, waitForRedis } from '@keyferry/queue';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { RequestLimits } from '../../src/network/request-limits.ts';
import { createSharedLimit } from '../../src/network/shared-limit.ts';
import { startTestApi, type TestApi, type TestApiOptions, token } from '../support/test-api.ts';
import { startWay, type Way } from '../support/way.ts';

/** The first second of a minute: none ends while a test runs. */
let at = Date.UTC(2026, 0, 1, 12, 0, 0);
const minute = 60_000;

const open: TestApi[] = [];
const ways: Way[] = [];

afterAll(async () => {
  for (const api of open.reverse()) await api.close();
  for (const way of ways) await way.cut();
});

async function start(limits: Partial<RequestLimits>, more: TestApiOptions = {}): Promise<TestApi> {
  const network = { limits: { identity: 0, address: 0, refused: 0, ...limits }, ...more.network };
  const api = await startTestApi({ now: () => new Date(at), ...more, network });
  open.push(api);
  return api;
}

interface Asking {
  url?: string;
  from?: string;
  by?: string;
  headers?: Record<string, string>;
}

async function ask(
  { app }: TestApi,
  { url = '/v1/events', from = '192.0.2.1', by = token, headers = {} }: Asking = {},
) {
  return await app.inject({ url, remoteAddress: from, headers: { authorization: `Bearer ${by}`, ...headers } });
}

const statuses = async (api: TestApi, count: number, asking: Asking = {}) => {
  const found: number[] = [];
  for (let done = 0; done < count; done++) found.push((await ask(api, asking)).statusCode);
  return found;
};

describe('a limit of an identity', () => {
  test('is kept until the minute is over, and says how long that is', async () => {
    const api = await start({ identity: 3 });
    expect(await statuses(api, 3)).toEqual([200, 200, 200]);
    at += 20_000;
    const refused = await ask(api, { from: '192.0.2.2' });
    expect(refused.statusCode).toBe(429);
    expect(refused.headers['retry-after']).toBe('40');
    expect(refused.json().error).toMatchObject({ code: 'rate_limited' });
    const told = 'SELECT actor, details FROM keyferry.audit_log WHERE request_id = $1';
    expect(await api.query(told, [refused.headers['x-request-id']])).toEqual([
      { actor: 'api-token', details: { code: 'rate_limited', method: 'GET', route: '/v1/events' } },
    ]);
    at += 40_000;
    expect(await statuses(api, 1)).toEqual([200]);
    at += minute;
  });

  test('is kept before a body is read', async () => {
    const api = await start({ identity: 1 });
    await ask(api);
    const answer = await api.app.inject({
      method: 'POST',
      url: '/v1/secrets/resolve',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      payload: '{ this is no JSON',
    });
    expect(answer.statusCode).toBe(429);
  });
});

describe('a limit of an address', () => {
  test('is that address’s alone, whoever asks', async () => {
    const api = await start({ address: 2 });
    expect(await statuses(api, 3, { by: 'nobody' })).toEqual([401, 401, 429]);
    expect(await statuses(api, 1)).toEqual([429]);
    expect(await statuses(api, 1, { from: '192.0.2.7' })).toEqual([200]);
  });

  test('counts the network of 64 bits that an IPv6 address is in, and IPv4 over IPv6 as IPv4', async () => {
    const api = await start({ address: 1 });
    expect(await statuses(api, 1, { from: '2001:db8:1:2::1' })).toEqual([200]);
    expect(await statuses(api, 1, { from: '2001:db8:1:2:ffff::9' })).toEqual([429]);
    expect(await statuses(api, 1, { from: '2001:db8:1:3::1' })).toEqual([200]);
    expect(await statuses(api, 1, { from: '::ffff:192.0.2.9' })).toEqual([200]);
    expect(await statuses(api, 1, { from: '192.0.2.9' })).toEqual([429]);
  });

  test('leaves whoever watches the process alone', async () => {
    const api = await start({ address: 1 });
    expect(await statuses(api, 5, { url: '/healthz' })).toEqual([200, 200, 200, 200, 200]);
    expect(await statuses(api, 3, { url: '/readyz' })).toEqual([200, 200, 200]);
    expect(await statuses(api, 2, { url: '/nothing' })).toEqual([404, 429]);
  });
});

test('who tries tokens is refused whatever comes next, and nobody else is', async () => {
  const api = await start({ refused: 3 });
  expect(await statuses(api, 50)).not.toContain(429);
  expect(await statuses(api, 4, { by: 'a-guess-of-a-token' })).toEqual([401, 401, 401, 429]);
  expect(await statuses(api, 1)).toEqual([429]);
  expect(await statuses(api, 1, { from: '192.0.2.8' })).toEqual([200]);
});

describe('processes', () => {
  let first: TestApi;
  let second: TestApi;

  beforeAll(async () => {
    first = await start({ identity: 1_000 });
    second = await start({ identity: 1_000 }, { beside: first });
  });

  test('keep a limit together, but for a small part of it', async () => {
    let served = 0;
    // Each has its turn, so that neither is ahead of what Redis was told.
    for (const api of [first, second]) {
      const found = await statuses(api, 900);
      served += found.filter((status) => status === 200).length;
    }
    expect(served).toBeGreaterThanOrEqual(800);
    expect(served).toBeLessThanOrEqual(1_000 + 2 * 110);
  });

  test('take few round trips for many requests', async () => {
    const redis = openRedis(redisUrl(), 'producer', () => {});
    await waitForRedis(redis, 10_000);
    const monitor = await redis.monitor();
    try {
      const prefix = newQueuePrefix();
      let seen = 0;
      monitor.on('monitor', (_time: string, words: string[]) => {
        if (words.some((word) => word.startsWith(prefix))) seen++;
      });
      const limit = createSharedLimit({ redis, prefix, points: 10_000, now: () => at });
      for (let taken = 0; taken < 10_000; taken++) {
        expect(limit.take('somebody')).toBe(0);
        if (taken % 50 === 0) await redis.ping();
      }
      await vi.waitFor(() => expect(seen).toBeGreaterThan(0));
      expect(seen).toBeLessThan(100);
      expect(limit.take('somebody')).toBe(minute);
    } finally {
      monitor.disconnect();
      redis.disconnect();
    }
  });
});

test('without Redis the limit goes on in each process, and nobody is refused for that', async () => {
  const api = await start(
    { identity: 20, address: 30 },
    {
      through: {
        redis: async (url) => {
          const way = await startWay(url);
          ways.push(way);
          return way.url;
        },
      },
    },
  );
  await Promise.all(ways.map((way) => way.cut()));
  await vi.waitFor(async () => expect((await ask(api, { url: '/readyz' })).statusCode).toBe(503));
  at += minute;
  const found = await statuses(api, 25);
  expect(found.slice(0, 20)).not.toContain(429);
  expect(found.slice(20)).toEqual([429, 429, 429, 429, 429]);
});

describe('behind a proxy', () => {
  const forwarded = (address: string) => ({ headers: { 'x-forwarded-for': address } });

  test('what a trusted one says of who asks is taken, and what others say is not', async () => {
    const api = await start({ address: 1 }, { network: { trustedProxies: ['10.0.0.0/8', '2001:db8::/32'] } });
    const proxy = { from: '10.1.2.3' };
    expect(await statuses(api, 1, { ...proxy, ...forwarded('198.51.100.1') })).toEqual([200]);
    expect(await statuses(api, 1, { ...proxy, ...forwarded('198.51.100.2') })).toEqual([200]);
    expect(await statuses(api, 1, { ...proxy, ...forwarded('::ffff:198.51.100.2') })).toEqual([429]);
    expect(await statuses(api, 1, { from: '::ffff:10.1.2.3', ...forwarded('198.51.100.3:4711') })).toEqual([200]);
    expect(await statuses(api, 1, { from: '2001:db8::7', ...forwarded('198.51.100.3') })).toEqual([429]);
    const stranger = { from: '203.0.113.5' };
    expect(await statuses(api, 1, { ...stranger, ...forwarded('198.51.100.4') })).toEqual([200]);
    expect(await statuses(api, 1, { ...stranger, ...forwarded('198.51.100.5') })).toEqual([429]);
  });

  test('what a client has put before counts for nothing, nor does what is no address', async () => {
    const api = await start({ address: 1 }, { network: { trustedProxies: ['10.0.0.0/8'] } });
    const proxy = { from: '10.1.2.3' };
    expect(await statuses(api, 1, { ...proxy, ...forwarded('192.0.2.50, 198.51.100.9') })).toEqual([200]);
    expect(await statuses(api, 1, { ...proxy, ...forwarded('192.0.2.51, 198.51.100.9') })).toEqual([429]);
    expect(await statuses(api, 2, { ...proxy, ...forwarded('unknown') })).toEqual([200, 429]);
    expect(await statuses(api, 1, { ...proxy, ...forwarded('also unknown') })).toEqual([429]);
  });
});
