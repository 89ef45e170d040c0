import { connect } from 'node:net';
import { errorAnswer, readyAnswer } from '@keyferry/contracts';
import { errorCatalogue } from '@keyferry/core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApi, type TestApi, token } from './support/test-api.ts';
import { startWay, type Way } from './support/way.ts';

let api: TestApi;
const ways: Way[] = [];

beforeAll(async () => {
  const through = async (url: string) => {
    const way = await startWay(url);
    ways.push(way);
    return way.url;
  };
  api = await startTestApi({ through: { database: through, redis: through } });
});

afterAll(async () => {
  await api.close();
  for (const way of ways) await way.cut();
});

const id = '00000000-0000-4000-8000-00000000dead';

function raw(options: {
  method?: 'GET' | 'POST' | 'PUT';
  url: string;
  headers?: Record<string, string>;
  payload?: string;
}) {
  return api.app.inject({ method: 'GET', ...options });
}

describe('the bearer token', () => {
  test.each([
    ['none', {}],
    ['another', { authorization: 'Bearer another-token-that-is-as-long' }],
    ['the beginning of it', { authorization: `Bearer ${token.slice(0, -1)}` }],
    ['it and more', { authorization: `Bearer ${token}x` }],
    ['it by another scheme', { authorization: `Basic ${token}` }],
    ['an empty one', { authorization: 'Bearer ' }],
  ])('%s is refused, on every route and on none', async (_what, headers) => {
    for (const url of ['/v1/keys', '/v1/federation/backends', `/v1/federation/cycles/${id}`, '/v1/nothing']) {
      const answer = await raw({ url, headers: headers as Record<string, string> });
      expect(answer.statusCode).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(errorAnswer.parse(answer.json()).error.code).toBe('unauthorized');
    }
  });

  test('is asked for before a body is looked at', async () => {
    const answer = await raw({ method: 'POST', url: '/v1/federation/backends', payload: '{' });
    expect(answer.statusCode).toBe(401);
  });

  test('is not asked for by health and description', async () => {
    for (const url of ['/healthz', '/readyz', '/openapi.json']) expect((await raw({ url })).statusCode).toBe(200);
  });
});

describe('what goes wrong has one shape', () => {
  const authorization = `Bearer ${token}`;
  const json = { authorization, 'content-type': 'application/json' };
  const url = '/v1/federation/backends';

  test.each([
    ['an unknown route', { url: '/v1/nothing', headers: { authorization } }, 404, 'not_found'],
    ['an unknown route elsewhere', { url: '/nothing' }, 404, 'not_found'],
    ['a method that a route lacks', { method: 'PUT', url, headers: { authorization } }, 404, 'not_found'],
    ['malformed JSON', { method: 'POST', url, headers: json, payload: '{"name": canary' }, 400, 'request_invalid'],
    ['a body of nothing', { method: 'POST', url, headers: json, payload: '' }, 400, 'request_invalid'],
    [
      'a poisoned body',
      { method: 'POST', url, headers: json, payload: '{"__proto__": {"canary": 1}}' },
      400,
      'request_invalid',
    ],
    [
      'a body of another type',
      { method: 'POST', url, headers: { authorization, 'content-type': 'text/xml' }, payload: '<canary/>' },
      415,
      'request_invalid',
    ],
    [
      'a body that is too large',
      { method: 'POST', url, headers: json, payload: `"${'canary'.repeat(50_000)}"` },
      413,
      'request_invalid',
    ],
    [
      'a deeply nested body',
      { method: 'POST', url, headers: json, payload: `{"a":${'['.repeat(60_000)}${']'.repeat(60_000)}}` },
      400,
      'backend_kind_unknown',
    ],
    ['an address that is badly encoded', { url: '/v1/keys/%', headers: { authorization } }, 400, 'request_invalid'],
    ['an id that is none', { url: '/v1/federation/cycles/canary', headers: { authorization } }, 400, 'request_invalid'],
    ['an unknown cycle', { url: `/v1/federation/cycles/${id}`, headers: { authorization } }, 404, 'cycle_not_found'],
    [
      'issues of an unknown cycle',
      { url: `/v1/federation/cycles/${id}/issues`, headers: { authorization } },
      404,
      'cycle_not_found',
    ],
    ['an unknown hold', { url: `/v1/federation/holds/${id}`, headers: { authorization } }, 404, 'hold_not_found'],
    [
      'the approval of an unknown hold',
      { method: 'POST', url: `/v1/federation/holds/${id}/approve`, headers: { authorization } },
      404,
      'hold_not_found',
    ],
    [
      'the replay of an unknown failure',
      { method: 'POST', url: `/v1/federation/failures/${id}/replay`, headers: { authorization } },
      404,
      'failure_not_found',
    ],
    ['a limit of 0', { url: '/v1/keys?limit=0', headers: { authorization } }, 400, 'request_invalid'],
    ['a limit of 501', { url: '/v1/keys?limit=501', headers: { authorization } }, 400, 'request_invalid'],
    ['an unknown state', { url: '/v1/keys?state=canary', headers: { authorization } }, 400, 'request_invalid'],
    [
      'a query member that is misspelt',
      { url: '/v1/keys?stat=active', headers: { authorization } },
      400,
      'request_invalid',
    ],
    [
      'a cursor that is garbage',
      { url: '/v1/keys?cursor=garbage', headers: { authorization } },
      400,
      'request_invalid',
    ],
    [
      'a cursor of another list',
      {
        url: `/v1/federation/cycles?cursor=${Buffer.from('["a/b"]').toString('base64url')}`,
        headers: { authorization },
      },
      400,
      'request_invalid',
    ],
    [
      'a cursor that would not fit the database',
      { url: `/v1/keys?cursor=${Buffer.from('["a\\u0000"]').toString('base64url')}`, headers: { authorization } },
      400,
      'request_invalid',
    ],
    [
      'a cursor far beyond',
      {
        url: `/v1/federation/cycles/${id}/issues?cursor=${Buffer.from('[1e300]').toString('base64url')}`,
        headers: { authorization },
      },
      404,
      'cycle_not_found',
    ],
    ['a position that is none', { url: '/v1/events?after=then', headers: { authorization } }, 400, 'request_invalid'],
  ] as const)('%s', async (_what, request, status, code) => {
    const answer = await raw(request);
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    const { error } = errorAnswer.strict().parse(answer.json());
    expect(error).toMatchObject({ code, action: errorCatalogue[code], request_id: answer.headers['x-request-id'] });
    expect(answer.body).not.toMatch(/canary|\bat .*\.ts/);
  });

  test('a request that is not HTTP is answered in the same shape', async () => {
    const { port } = new URL(await api.app.listen({ host: '127.0.0.1', port: 0 }));
    const received = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(Number(port), '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'));
      socket.on('data', (bytes) => {
        text += bytes;
      });
      socket.on('end', () => resolve(text));
    });
    const [head = '', body = ''] = received.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(errorAnswer.parse(JSON.parse(body)).error.code).toBe('request_invalid');
  });

  test('a fault of ours is told by its code alone, and its cause stays in the log', async () => {
    await api.query('ALTER TABLE keyferry.keys RENAME COLUMN local_path TO canary_path');
    try {
      const { status, body } = await api.call('GET', '/v1/keys');
      expect(status).toBe(500);
      expect(errorAnswer.parse(body).error).toMatchObject({ code: 'internal', action: errorCatalogue.internal });
      expect(JSON.stringify(body)).not.toMatch(/local_path|column|\bat\b.*\.ts/);
      const logged = api.lines.find(
        (line) => line.includes(body.error.request_id) && line.includes('a request failed'),
      );
      expect(logged).toContain('/v1/keys');
    } finally {
      await api.query('ALTER TABLE keyferry.keys RENAME COLUMN canary_path TO local_path');
    }
  });
});

describe('while a service below is away', () => {
  test('requests are answered with 503, and go on by themselves when the database is back', async () => {
    const [database] = ways;
    await database?.cut();
    const { status, body } = await api.call('GET', '/v1/keys');
    expect(status).toBe(503);
    expect(errorAnswer.parse(body).error.code).toBe('database_unavailable');
    const ready = await raw({ url: '/readyz' });
    expect(ready.statusCode).toBe(503);
    expect(readyAnswer.parse(ready.json())).toEqual({ status: 'unavailable', database: 'unavailable', redis: 'ok' });
    expect((await raw({ url: '/healthz' })).statusCode).toBe(200);
    await database?.mend();
    expect((await api.call('GET', '/v1/keys')).status).toBe(200);
    expect((await raw({ url: '/readyz' })).statusCode).toBe(200);
  });

  test('a sync is accepted without Redis, since reconciling enqueues it later', async () => {
    const config = { address: 'http://127.0.0.1:1', auth: { method: 'token', token: 'token' } };
    await api.call('POST', '/v1/federation/backends', { name: 'waiting', kind: 'hashicorp', config });
    const [, redis] = ways;
    await redis?.cut();
    expect((await raw({ url: '/readyz' })).json()).toMatchObject({ redis: 'unavailable', database: 'ok' });
    expect((await api.call('POST', '/v1/federation/backends/waiting/sync')).status).toBe(202);
    await redis?.mend();
    await vi.waitFor(async () => expect((await raw({ url: '/readyz' })).statusCode).toBe(200), { timeout: 10_000 });
  });
});

describe('the OpenAPI document', () => {
  const document = async () => (await raw({ url: '/openapi.json' })).json();

  test('describes every route with its answers', async () => {
    const { openapi, paths } = await document();
    expect(openapi).toBe('3.1.0');
    const routes = Object.entries<object>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.sort()).toEqual([
      'DELETE /v1/federation/backends/{id}',
      'DELETE /v1/identities/{id}',
      'DELETE /v1/identities/{id}/tokens/{token}',
      'DELETE /v1/issuers/{id}',
      'DELETE /v1/notifications/channels/{id}',
      'DELETE /v1/notifications/rules/{id}',
      'DELETE /v1/policies/{id}',
      'DELETE /v1/secrets/{path}',
      'DELETE /v1/tenants/{id}',
      'GET /healthz',
      'GET /readyz',
      'GET /v1/audit',
      'GET /v1/audit/export',
      'GET /v1/audit/retention',
      'GET /v1/backups',
      'GET /v1/changes',
      'GET /v1/encryption',
      'GET /v1/events',
      'GET /v1/explain/{path}',
      'GET /v1/federation/backends',
      'GET /v1/federation/backends/{id}',
      'GET /v1/federation/backends/{id}/conflicts',
      'GET /v1/federation/backends/{id}/cycles',
      'GET /v1/federation/backends/{id}/status',
      'GET /v1/federation/cycles',
      'GET /v1/federation/cycles/{id}',
      'GET /v1/federation/cycles/{id}/issues',
      'GET /v1/federation/failures',
      'GET /v1/federation/holds',
      'GET /v1/federation/holds/{id}',
      'GET /v1/identities',
      'GET /v1/identities/{id}',
      'GET /v1/identities/{id}/tokens',
      'GET /v1/issuers',
      'GET /v1/issuers/{id}',
      'GET /v1/keys',
      'GET /v1/keys/{path}',
      'GET /v1/notifications/channels',
      'GET /v1/notifications/channels/{id}',
      'GET /v1/notifications/deliveries',
      'GET /v1/notifications/deliveries/{id}',
      'GET /v1/notifications/rules',
      'GET /v1/notifications/rules/{id}',
      'GET /v1/policies',
      'GET /v1/policies/{id}',
      'GET /v1/secrets',
      'GET /v1/secrets/{path}',
      'GET /v1/tenants',
      'GET /v1/tenants/{id}',
      'GET /v1/versions/{path}',
      'GET /v1/whoami',
      'PATCH /v1/audit/retention',
      'PATCH /v1/federation/backends/{id}',
      'PATCH /v1/identities/{id}',
      'PATCH /v1/issuers/{id}',
      'PATCH /v1/notifications/channels/{id}',
      'PATCH /v1/notifications/rules/{id}',
      'PATCH /v1/policies/{id}',
      'PATCH /v1/tenants/{id}',
      'POST /api/vault/flush-cache',
      'POST /v1/audit/verify',
      'POST /v1/backups/{id}/restore',
      'POST /v1/encryption/rewrap',
      'POST /v1/encryption/rotate',
      'POST /v1/federation/backends',
      'POST /v1/federation/backends/{id}/conflicts/resolve',
      'POST /v1/federation/backends/{id}/plan',
      'POST /v1/federation/backends/{id}/sync',
      'POST /v1/federation/backends/{id}/test',
      'POST /v1/federation/failures/{id}/replay',
      'POST /v1/federation/holds/{id}/approve',
      'POST /v1/federation/holds/{id}/reject',
      'POST /v1/identities',
      'POST /v1/identities/{id}/tokens',
      'POST /v1/issuers',
      'POST /v1/keys/revoke',
      'POST /v1/keys/unrevoke',
      'POST /v1/notifications/channels',
      'POST /v1/notifications/channels/{id}/test',
      'POST /v1/notifications/deliveries/replay',
      'POST /v1/notifications/deliveries/{id}/replay',
      'POST /v1/notifications/rules',
      'POST /v1/policies',
      'POST /v1/policies/check',
      'POST /v1/rollback/{path}',
      'POST /v1/secrets/resolve',
      'POST /v1/tenants',
      'POST /v1/tenants/{id}/deletion/approve',
      'POST /v1/tenants/{id}/deletion/reject',
      'POST /v1/tenants/{id}/resume',
      'POST /v1/tenants/{id}/suspend',
      'PUT /v1/secrets/{path}',
    ]);
  });

  test('says of every route under /v1 how it is opened, what it gives and how it refuses', async () => {
    const { paths, components } = await document();
    for (const [path, methods] of Object.entries<Record<string, Route>>(paths)) {
      if (!path.startsWith('/v1/')) continue;
      for (const route of Object.values(methods)) {
        expect(route.summary).toBeTruthy();
        expect(route.security).toEqual([{ token: [] }]);
        expect(Object.keys(route.responses).some((status) => status.startsWith('2'))).toBe(true);
        for (const status of ['400', '401', '403', '500', '503'])
          expect(route.responses[status]?.content['application/json'].schema).toEqual({
            $ref: '#/components/schemas/Error',
          });
        const inPath = (path.match(/\{\w+\}/g) ?? []).map((name) => name.slice(1, -1));
        const described = (route.parameters ?? []).filter((parameter) => parameter.in === 'path');
        expect(described.map(({ name }) => name)).toEqual(inPath);
      }
    }
    expect(components.securitySchemes.token).toEqual({ type: 'http', scheme: 'bearer' });
  });

  test('every reference in it leads somewhere', async () => {
    const described = await document();
    const references = JSON.stringify(described).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g);
    for (const [, name = ''] of references) expect(described.components.schemas).toHaveProperty(name);
  });

  test('shows the settings of each kind of vault', async () => {
    const { paths } = await document();
    const body = paths['/v1/federation/backends'].post.requestBody.content['application/json'].schema;
    const [hashicorp] = body.oneOf;
    expect(hashicorp.properties.kind.enum).toEqual(['hashicorp']);
    expect(hashicorp.properties.config.properties).toHaveProperty('address');
    expect(hashicorp.required).toEqual(['name', 'kind', 'config']);
  });
});

interface Route {
  summary?: string;
  security?: unknown;
  parameters?: { in: string; name: string }[];
  responses: Record<string, { content: { 'application/json': { schema: unknown } } }>;
}
