import { once } from 'node:events';
import { defaultTenantId } from '@keyferry/store';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { knownIdentity } from './support/known-identity.ts';
import { startTestApi, type TestApi, token } from './support/test-api.ts';
import { startWay, type Way } from './support/way.ts';

/** Feeds of changes that nobody gets to read: nothing of them is kept. */

let cleanup: AsyncDisposableStack;
beforeEach(() => {
  cleanup = new AsyncDisposableStack();
});
afterEach(() => cleanup.disposeAsync());

/** How many follow changes, and how many have stopped. */
function followers({ secrets }: TestApi) {
  const counts = { begun: 0, stopped: 0 };
  const follow = secrets.follow.bind(secrets);
  vi.spyOn(secrets, 'follow').mockImplementation(async (...given) => {
    const following = await follow(...given);
    counts.begun++;
    const stop = () => {
      counts.stopped++;
      following.stop();
    };
    return { ...following, stop };
  });
  return counts;
}

test('a client that goes away before it is known who it is leaves no feed behind', async () => {
  const known = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const identity = knownIdentity('slow', defaultTenantId);
  const api = await startTestApi({
    authenticators: [
      {
        async identify(given, named) {
          asked.resolve();
          await known.promise;
          return await identity.identify(given, named);
        },
      },
    ],
  });
  cleanup.defer(() => api.close());
  const counts = followers(api);
  const address = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const connected = once(api.app.server, 'connection');
  const controller = new AbortController();
  const asking = fetch(`${address}/v1/changes`, {
    headers: { authorization: 'Bearer slow' },
    signal: controller.signal,
  }).catch(() => null);
  const [socket] = await connected;
  await asked.promise;
  controller.abort();
  await Promise.all([asking, socket.destroyed || once(socket, 'close')]);
  known.resolve();
  expect((await api.call('GET', '/v1/whoami', undefined, 'slow')).status).toBe(200);
  expect(counts).toEqual({ begun: 0, stopped: 0 });
});

test('a feed that the audit log can’t tell of is refused, and nothing of it stays', async () => {
  let way: Way | undefined;
  const database = async (url: string) => {
    way = await startWay(url);
    return way.url;
  };
  const api = await startTestApi({ through: { database }, reader: { pollMs: null } });
  cleanup.defer(() => api.close());
  const address = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const headers = { authorization: `Bearer ${token}` };
  const controller = new AbortController();
  // Who follows first finds out where to begin, for which Postgres is asked.
  await fetch(`${address}/v1/changes`, { headers, signal: controller.signal });
  const counts = followers(api);
  await way?.cut();
  const refused = await fetch(`${address}/v1/changes`, { headers });
  expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'audit_unavailable' } }]);
  await vi.waitFor(() => expect(counts).toEqual({ begun: 1, stopped: 1 }));
  controller.abort();
});
