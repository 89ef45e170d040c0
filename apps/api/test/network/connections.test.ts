import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { errorAnswer } from '@keyferry/contracts';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createFeedPlaces } from '../../src/network/feed-places.ts';
import { startTestApi, type TestApi, token } from '../support/test-api.ts';

let api: TestApi;
let port = 0;

beforeAll(async () => {
  api = await startTestApi({ network: { patience: { checkMs: 20, leastBytes: 1024 * 1024, withinMs: 200 } } });
  port = Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
});

afterAll(() => api.close());

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** What the server says until it ends the connection. */
async function said(socket: Socket, sending: string): Promise<string> {
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes;
  });
  const ended = once(socket, 'close');
  if (sending !== '') socket.write(sending);
  await ended;
  return text;
}

const connections = () =>
  new Promise<number>((resolve, reject) =>
    api.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

const refusalIn = (text: string) => errorAnswer.parse(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).error;

const head = `Host: keyferry\r\nAuthorization: Bearer ${token}\r\n`;

describe('a client that is slow to ask', () => {
  test.each([
    ['says nothing at all', ''],
    ['sends half of the headers', 'GET /healthz HTTP/1.1\r\nHost: keyf'],
    ['sends headers line by line', 'GET /healthz HTTP/1.1\r\nHost: keyferry\r\nA: b\r\n'],
    [
      'sends half of a body',
      `POST /v1/secrets/resolve HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"ref`,
    ],
  ])('and %s is told so, and dropped', { timeout: 20_000, concurrent: true }, async (_what, sending) => {
    const text = await said(await open(), sending);
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(refusalIn(text).code).toBe('request_invalid');
  });
});

test('headers beyond 16 KiB are refused', async () => {
  const text = await said(
    await open(),
    `GET /healthz HTTP/1.1\r\nHost: keyferry\r\nA: ${'b'.repeat(17 * 1024)}\r\n\r\n`,
  );
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(refusalIn(text).message).toBe('The headers are larger than 16 KiB.');
});

describe('a client that does not take its answer', () => {
  test('is dropped, and keeps nothing of what waits for it', { timeout: 20_000 }, async () => {
    const socket = await open();
    socket.pause();
    // More than the system keeps for both ends.
    socket.write(`GET /openapi.json HTTP/1.1\r\nHost: keyferry\r\n\r\n`.repeat(200));
    await vi.waitFor(async () => expect(await connections()).toBe(0), { timeout: 15_000 });
  });

  test('does not keep one that takes its own waiting', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/openapi.json`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ openapi: '3.1.0' });
  });
});

test('an identity follows changes so many times at once, and again once it has left', () => {
  const places = createFeedPlaces(2);
  const identity = { tenantId: 'one', actor: 'api-token' };
  const leave = places.take(identity);
  places.take(identity);
  expect(() => places.take(identity)).toThrow('api-token follows changes 2 times already.');
  places.take({ tenantId: 'two', actor: 'api-token' });
  leave();
  places.take(identity);
});

test('who has gone away leaves the place of its change feed', async () => {
  const controller = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${port}/v1/changes`, {
    headers: { authorization: `Bearer ${token}` },
    signal: controller.signal,
  });
  expect(answer.status).toBe(200);
  controller.abort();
  await vi.waitFor(async () => expect(await connections()).toBeLessThanOrEqual(1), { timeout: 10_000 });
});
