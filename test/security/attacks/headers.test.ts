import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Attacked, canary, startAttacked, statusesIn, store, token } from './support/attacked.ts';

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ KEYFERRY_LIMIT_ADDRESS: '0' });
  await store(attacked, 'local/secret');
});
afterAll(() => attacked[Symbol.asyncDispose]());

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const injected = 'x-injected: yes';

const headOf = (said: string) => said.slice(0, said.indexOf('\r\n\r\n')).toLowerCase();

/** A request with these lines beside what it needs. */
const get = (target: string, lines = '') =>
  `GET ${target} HTTP/1.1\r\nHost: keyferry\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n${lines}\r\n`;

describe('what a request says gets into no header of the answer', () => {
  test.each([
    ['its path', '/v1/secrets/local/secret%0d%0ax-injected:%20yes', ''],
    ['its path, in letters that lose their high byte', '/v1/secrets/local/secret%c4%8d%c4%8ax-injected:%20yes', ''],
    ['its query', '/v1/secrets/local/secret?field=a%0d%0ax-injected:%20yes', ''],
    ['the prefix of a list', '/v1/secrets?prefix=a%0d%0ax-injected:%20yes', ''],
    ['a cursor', '/v1/secrets?cursor=a%0d%0ax-injected:%20yes', ''],
    ['a route that is not there', '/v1/%0d%0ax-injected:%20yes', ''],
    ['its id', '/v1/secrets/local/secret', 'X-Request-Id: a\r\nRequest-Id: b\r\nX-Correlation-Id: c\r\n'],
    ['an id that is a header', '/v1/secrets/local/secret', 'X-Request-Id: a%0d%0ax-injected: yes\r\n'],
    ['the tag that it knows', '/v1/secrets/local/secret', 'If-None-Match: "a%0d%0ax-injected: yes"\r\n'],
    [
      'where it comes from',
      '/v1/secrets/local/secret',
      'Origin: http://evil.example\r\nReferer: http://evil.example\r\n',
    ],
  ])('%s', async (_what, target, lines) => {
    const said = await attacked.raw(get(target, lines));
    const [status = 0] = statusesIn(said);
    expect(status).toBeLessThan(500);
    expect(status).toBeGreaterThan(0);
    expect(headOf(said)).not.toContain(injected);
    expect(headOf(said)).not.toContain('evil.example');
    expect(/^x-request-id: (.*)$/m.exec(headOf(said))?.[1]?.trim()).toMatch(uuid);
  });

  test('the name of what is made', async () => {
    const name = `a\r\n${injected}`;
    const { status, headers, text } = await attacked.send('POST', '/v1/notifications/channels', {
      kind: 'slack',
      name,
      url: 'https://hooks.example.com/a',
    });
    expect([201, 400]).toContain(status);
    expect(headers.get('x-injected')).toBeNull();
    if (status === 201) expect(headers.get('location')).toBe(`/v1/notifications/channels/${JSON.parse(text).id}`);
  });

  test('a key that makes a write safe to be sent twice', async () => {
    const body = JSON.stringify({ value: 'a' });
    const said = await attacked.raw(
      `PUT /v1/secrets/local/again HTTP/1.1\r\nHost: keyferry\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nIdempotency-Key: a%0d%0a${injected}\r\nConnection: close\r\n\r\n${body}`,
    );
    expect(headOf(said)).not.toContain(injected);
    expect(statusesIn(said)[0]).toBeLessThan(500);
  });
});

describe('a client that says what only a proxy knows is not believed', () => {
  test.each([
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Prefix: /evil',
    'Forwarded: for=127.0.0.1;host=evil.example;proto=https',
    'X-Real-IP: 127.0.0.1',
    'True-Client-IP: 127.0.0.1',
    'X-Original-URL: /healthz',
    'X-Rewrite-URL: /healthz',
    'X-HTTP-Method-Override: DELETE',
    'X-Method-Override: DELETE',
    'Host: evil.example',
    'Content-Location: /healthz',
  ])('%s changes nothing', async (line) => {
    const without = get('/v1/secrets/local/secret');
    const plain = await attacked.raw(without);
    const claimed = await attacked.raw(
      line.startsWith('Host')
        ? without.replace('Host: keyferry', line)
        : get('/v1/secrets/local/secret', `${line}\r\n`),
    );
    const steady = (said: string) => said.replace(/^(x-request-id|date): .*$/gim, '').replace(/"age":\d+/, '');
    expect(steady(claimed)).toBe(steady(plain));
    expect(claimed).toContain(canary);
  });

  test('nor about its own address, which limits go by', async () => {
    await using limited = await startAttacked({ KEYFERRY_LIMIT_REFUSED: '5' });
    const guess = (at: number) =>
      limited.send('GET', '/v1/keys', undefined, {
        authorization: 'Bearer a-guess',
        'x-forwarded-for': `192.0.2.${at}`,
      });
    const statuses: number[] = [];
    for (let at = 0; at < 12; at++) statuses.push((await guess(at)).status);
    expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
    // A minute of the clock may have ended in between.
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(1);
  });

  test('a header named by Connection still counts', async () => {
    const said = await attacked.raw(
      `GET /v1/secrets/local/secret HTTP/1.1\r\nHost: keyferry\r\nAuthorization: Bearer wrong\r\nAuthorization: Bearer ${token}\r\nConnection: close, Authorization\r\n\r\n`,
    );
    expect(said).not.toContain(canary);
  });

  test.each(['TRACE', 'CONNECT', 'TRACK', 'DEBUG', 'PROPFIND', 'PURGE'])(
    '%s shows nothing of a request',
    async (method) => {
      const said = await attacked.raw(get('/v1/secrets/local/secret').replace('GET', method));
      expect(said).not.toContain(token);
      expect(said).not.toContain(canary);
      for (const status of statusesIn(said)) expect(status).toBeGreaterThanOrEqual(400);
    },
  );
});
