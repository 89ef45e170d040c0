import { defaultTenantId } from '@keyferry/store';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { holders } from './support/holders.ts';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** What policies let those know who follow changes. */

const known = holders();
let api: TestApi;
let address: string;
let asked = 0;

beforeAll(async () => {
  api = await startTestApi({ authenticators: [known] });
  address = await api.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => api.close());

/** Somebody who may read what is below `mine`. */
function follower(): string {
  const by = `follower-${++asked}`;
  known.set(by, [{ pathGlob: 'mine/**', permissions: ['read'] }]);
  return by;
}

describe('the change feed', () => {
  test('tells of paths that may be read, and goes by policies as they change', async () => {
    const by = follower();
    const stop = new AbortController();
    const messages: { type: string; paths?: string[] }[] = [];
    const answer = await fetch(`${address}/v1/changes`, {
      headers: { authorization: `Bearer ${by}` },
      signal: stop.signal,
    });
    let over = false;
    void (async () => {
      for await (const chunk of answer.body ?? [])
        for (const line of Buffer.from(chunk).toString().split('\n'))
          if (line.startsWith('data: ')) messages.push(JSON.parse(line.slice(6)));
    })()
      .catch(() => {})
      .finally(() => {
        over = true;
      });
    await vi.waitFor(() => expect(messages[0]).toMatchObject({ type: 'hello' }));
    api.secrets.forget(defaultTenantId, ['hidden/a', 'mine/a']);
    api.secrets.forget(defaultTenantId, ['hidden/b']);
    const changed = () => messages.filter(({ type }) => type === 'changed');
    await vi.waitFor(() => expect(changed()).toEqual([{ type: 'changed', paths: ['mine/a'] }]));
    messages.length = 0;
    known.set(by, [{ pathGlob: 'hidden/*', permissions: ['read'] }]);
    await vi.waitFor(() => expect(messages).toContainEqual({ type: 'flush' }), { timeout: 3_000 });
    await vi.waitFor(() => {
      api.secrets.forget(defaultTenantId, ['hidden/a', 'mine/a']);
      expect(changed().at(-1)).toEqual({ type: 'changed', paths: ['hidden/a'] });
    });
    known.set(by, [{ pathGlob: 'hidden/*', permissions: ['list'] }]);
    await vi.waitFor(() => expect(over).toBe(true), { timeout: 5_000 });
    stop.abort();
  }, 20_000);
});

test('who follows changes is told to forget when a policy ends, and finds another position then', async () => {
  const by = follower();
  const ends = new Date(Date.now() + 1_500);
  known.set(by, [
    { pathGlob: 'mine/**', permissions: ['read'] },
    { pathGlob: 'hidden/**', permissions: ['read'], expiresAt: ends },
  ]);
  const follow = async (enough: (messages: { type: string; position?: string }[]) => boolean) => {
    const stop = new AbortController();
    const messages: { type: string; position?: string }[] = [];
    const answer = await fetch(`${address}/v1/changes`, {
      headers: { authorization: `Bearer ${by}` },
      signal: stop.signal,
    });
    for await (const chunk of answer.body ?? []) {
      for (const line of Buffer.from(chunk).toString().split('\n'))
        if (line.startsWith('data: ')) messages.push(JSON.parse(line.slice(6)));
      if (enough(messages)) break;
    }
    stop.abort();
    return messages[0]?.position;
  };
  const first = await follow(([hello]) => hello !== undefined);
  expect(await follow(([hello]) => hello !== undefined)).toBe(first);
  expect(await follow((messages) => messages.some(({ type }) => type === 'flush'))).toBe(first);
  expect(Date.now()).toBeGreaterThanOrEqual(ends.getTime());
  expect(await follow(([hello]) => hello !== undefined)).not.toBe(first);
}, 20_000);
