import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Attacked, canary, startAttacked, statusesIn, store, token } from './support/attacked.ts';

/** Whatever a proxy in front may have let through: one request is one request. */

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked();
  await store(attacked, 'local/secret');
});
afterAll(() => attacked[Symbol.asyncDispose]());

const hidden = `GET /v1/secrets/local/secret HTTP/1.1\r\nHost: keyferry\r\nAuthorization: Bearer ${token}\r\n\r\n`;

/** A request with these lines and this body, in which another one may be hidden. */
const request = (lines: string, body = '', method = 'POST', target = '/v1/secrets/resolve') =>
  `${method} ${target} HTTP/1.1\r\nHost: keyferry\r\nContent-Type: application/json\r\n${lines}\r\n\r\n${body}`;

const chunked = (size: string) => `${size}\r\n{}\r\n0\r\n\r\n${hidden}`;

test('the hidden request is one that would be answered', async () => {
  expect(await attacked.raw(hidden)).toContain(canary);
});

test.each([
  ['a length and chunks', request('Content-Length: 4\r\nTransfer-Encoding: chunked', `0\r\n\r\n${hidden}`)],
  ['chunks and a length', request('Transfer-Encoding: chunked\r\nContent-Length: 4', `0\r\n\r\n${hidden}`)],
  ['two lengths', request(`Content-Length: 0\r\nContent-Length: ${hidden.length}`, hidden)],
  ['two lengths in one line', request(`Content-Length: 0, ${hidden.length}`, hidden)],
  ['a length with a sign', request('Content-Length: +0', hidden)],
  ['a negative length', request('Content-Length: -1', hidden)],
  ['a length in hex', request('Content-Length: 0x0', hidden)],
  ['a length with a space', request('Content-Length: 0 0', hidden)],
  ['a length that is too large to count', request(`Content-Length: ${'9'.repeat(40)}`, hidden)],
  ['a length after a tab and a space before the colon', request('Content-Length : 0', hidden)],
  ['an encoding and a space before the colon', request('Transfer-Encoding : chunked', `0\r\n\r\n${hidden}`)],
  ['an encoding that is none', request('Transfer-Encoding: xchunked', `0\r\n\r\n${hidden}`)],
  ['chunks that are not the last encoding', request('Transfer-Encoding: chunked, identity', `0\r\n\r\n${hidden}`)],
  ['two encodings', request('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: 3', hidden)],
  ['an encoding after a vertical tab', request('Transfer-Encoding:\x0bchunked', `0\r\n\r\n${hidden}`)],
  ['an encoding folded onto the next line', request('Transfer-Encoding:\r\n chunked', `0\r\n\r\n${hidden}`)],
  ['a folded line', request('X: y\r\n Content-Length: 0', hidden)],
  ['lines that end without a carriage return', hidden.replaceAll('\r\n', '\n').replace('GET', 'PUT') + hidden],
  ['lines that end without a line feed', request('X: y\rContent-Length: 0', hidden)],
  ['a NUL in a line', request('X: y\0z', hidden)],
  ['a line without a colon', request('Content-Length 0', hidden)],
  [
    'a space in the address',
    `GET /healthz HTTP/1.1\r\nX: HTTP/1.1\r\nHost: a b\r\n\r\n${hidden}`.replace('/healthz', '/health z'),
  ],
  ['no version', `GET /v1/secrets/local/secret\r\n\r\n${hidden}`],
  ['a version that is none', hidden.replace('HTTP/1.1', 'HTTP/9.9')],
  ['the beginning of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`],
  ['a chunk of a size in other letters', request('Transfer-Encoding: chunked', chunked('0x2'))],
  ['a chunk of a size with a sign', request('Transfer-Encoding: chunked', chunked('+2'))],
  ['a chunk of a negative size', request('Transfer-Encoding: chunked', chunked('-2'))],
  ['a chunk of a size that overflows', request('Transfer-Encoding: chunked', chunked('10000000000000002'))],
  ['a chunk extension with the end of a line in it', request('Transfer-Encoding: chunked', chunked('2;a=\nb'))],
  ['a chunk extension without an end', request('Transfer-Encoding: chunked', `2;${'a'.repeat(70_000)}`)],
  ['a chunk that ends elsewhere', request('Transfer-Encoding: chunked', `2\r\n{}XX0\r\n\r\n${hidden}`)],
  ['a chunk without a carriage return', request('Transfer-Encoding: chunked', `2\n{}\n0\n\n${hidden}`)],
  ['no host', hidden.replace('Host: keyferry\r\n', '')],
])('%s: refused, and nothing after it is a request', async (_what, bytes) => {
  const said = await attacked.raw(Buffer.from(bytes, 'latin1'));
  expect(said).not.toContain(canary);
  for (const status of statusesIn(said)) expect([400, 401, 408, 501, 505]).toContain(status);
  // Who lacks a token is told before the body is read; what comes then is told to be unreadable.
  expect(statusesIn(said).length).toBeLessThanOrEqual(2);
  for (const status of statusesIn(said).slice(1)) expect(status).toBe(400);
});

test.each([
  ['a body of a GET', request(`Content-Length: ${hidden.length}\r\nConnection: close`, hidden, 'GET', '/healthz')],
  [
    'a body of chunks with extensions',
    request(
      'Transfer-Encoding: chunked\r\nConnection: close',
      `${hidden.length.toString(16)};a=b\r\n${hidden}\r\n0\r\n\r\n`,
    ),
  ],
  [
    'a trailer',
    request(
      'Transfer-Encoding: chunked\r\nConnection: close',
      `2\r\n{}\r\n0\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    ),
  ],
  [
    'a body of a route that is not there',
    request(`Content-Length: ${hidden.length}\r\nConnection: close`, hidden, 'POST', '/nothing'),
  ],
  ['a body of a HEAD', request(`Content-Length: ${hidden.length}\r\nConnection: close`, hidden, 'HEAD', '/healthz')],
  [
    'an upgrade',
    request('Connection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__', '', 'GET', '/healthz'),
  ],
])('%s is a part of its request', async (_what, bytes) => {
  const said = await attacked.raw(bytes);
  expect(said).not.toContain(canary);
  expect(statusesIn(said)).toHaveLength(1);
  for (const status of statusesIn(said)) expect(status).toBeLessThan(500);
});

test('what is asked one after the other on a connection is answered in that order, each by its own right', async () => {
  const anonymous = hidden.replace(/Authorization.*\r\n/, '');
  const said = await attacked.raw(
    `${anonymous}${hidden}${anonymous.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`,
  );
  expect(statusesIn(said)).toEqual([401, 200, 401]);
  expect(said.split(canary)).toHaveLength(2);
});
