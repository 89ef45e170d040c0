import { scopes } from '@keyferry/core';
import type { Asked } from '@keyferry/identity';
import { createTenant } from '@keyferry/store';
import { type Everything, oneOfEverything } from '@keyferry/testing/support/one-of-everything.ts';
import { phantomOf } from '@keyferry/testing/support/phantom.ts';
import { rowsOfTenant, type TenantRows } from '@keyferry/testing/support/rows-of-tenant.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonSchema, type Schemas, valid } from './support/from-schema.ts';
import { knownIdentity } from './support/known-identity.ts';
import { startTestApi, type TestApi } from './support/test-api.ts';

/**
 * Invariant 10 over HTTP: every route of the OpenAPI document is called by somebody who may do everything in one tenant, with
 * whatever another one has. What is answered is what is answered of things that there aren't, and nothing of the other
 * tenant is changed. The store's side is in test/security.
 */

interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: JsonSchema }[];
  body: JsonSchema | null;
}

/** Streams that end with their reader. */
const streaming = new Set(['GET /v1/changes']);
const samples = 2;

const cleanup = new AsyncDisposableStack();
let api: TestApi;
let operations: Operation[];
let schemas: Schemas;
let theirs: Everything;
let mine: Everything;
let theirRows: TenantRows;
const people = new Map<string, ReturnType<typeof knownIdentity>>();

beforeAll(async () => {
  const known = { identify: (given: string, asked: Asked) => people.get(given)?.identify(given, asked) ?? null };
  api = await startTestApi({ authenticators: [known] });
  cleanup.defer(() => api.close());
  const { services } = api;
  const now = new Date();
  const limits = { max_backends: null, max_keys: null, max_open_cycles: null };
  const made = async (name: string) => {
    const { id } = await services.store.asOperator((tx) => createTenant(tx, { name, limits, by: 'x', now }));
    people.set(`token-${name}`, knownIdentity(`token-${name}`, id));
    return await oneOfEverything(services, id, name, now);
  };
  theirs = await made('theirs');
  mine = await made('mine');
  theirRows = await rowsOfTenant(api.database.ownerUrl, theirs.tenantId);
  cleanup.defer(() => theirRows.close());
  const document = (await api.app.inject({ url: '/openapi.json' })).json();
  schemas = document.components.schemas;
  operations = operationsOf(document.paths);
}, 60_000);
afterAll(() => cleanup.disposeAsync());

type Described = {
  parameters?: Operation['parameters'];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
};

function operationsOf(paths: Record<string, Record<string, Described>>): Operation[] {
  return Object.entries(paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod).flatMap(([method, { parameters = [], requestBody }]) => {
      const body = requestBody?.content['application/json']?.schema ?? null;
      const operation = { method: method.toUpperCase(), path, parameters, body };
      return streaming.has(nameOf(operation)) ? [] : [operation];
    }),
  );
}

const nameOf = ({ method, path }: Pick<Operation, 'method' | 'path'>) => `${method} ${path}`;

/** Whatever names something of a tenant. */
const namesOf = ({ mark, ...rows }: Everything): string[] => [
  `${mark}/key`,
  `${mark}/remote`,
  mark,
  ...['backend', 'channel', 'rule', 'identity', 'token', 'issuer', 'policy'].map((kind) => `${mark}-${kind}`),
  rows.tenantId,
  rows.keyId,
  ...[rows.backend, rows.cycle, rows.hold, rows.failure, rows.channel, rows.rule, rows.notice, rows.backup].map(
    ({ id }) => id,
  ),
  ...[rows.identity, rows.token, rows.issuer, rows.policy].map(({ id }) => id),
];

interface Request {
  method: string;
  url: string;
  payload: string | undefined;
}

/** Requests of an operation, which name what these names name wherever something is named. */
function requestsOf(operation: Operation, names: readonly string[]): Request[] {
  const { method, path, parameters, body } = operation;
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = parameters.filter((parameter) => parameter.in === 'query' && parameter.name !== 'cursor');
  const query = fc.record(
    Object.fromEntries(inQuery.map(({ name, schema }) => [name, valid(schema, schemas, names)])),
    {
      requiredKeys: [],
    },
  );
  const random = fc.record({ query, payload: body ? valid(body, schemas, names) : fc.constant(undefined) });
  const drawn = fc.sample(random, { seed: 7, numRuns: samples });
  const addresses =
    inPath.length === 0
      ? [path]
      : names.map((name) => inPath.reduce((url, parameter) => url.replace(`{${parameter.name}}`, encoded(name)), path));
  return addresses.flatMap((address) =>
    drawn.map(({ query: asked, payload }) => {
      const text = new URLSearchParams(
        Object.entries(asked).map(([name, value]): [string, string] => [name, String(value)]),
      );
      return {
        method,
        url: text.size > 0 ? `${address}?${text}` : address,
        payload: payload === undefined ? undefined : JSON.stringify(payload),
      };
    }),
  );
}

const encoded = (text: string) => text.split('/').map(encodeURIComponent).join('/');

async function send({ method, url, payload }: Request, by: string, headers: object = {}) {
  const { statusCode, payload: text } = await api.app.inject({
    method: method as 'GET',
    url,
    headers: {
      authorization: `Bearer ${by}`,
      ...(payload !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(payload !== undefined && { payload }),
  });
  return { status: statusCode, text: text.replace(/"request_id":"[^"]*"/, '') };
}

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

test('every route is there, and finds for the other tenant what it is asked for here', async () => {
  expect(operations.length).toBeGreaterThan(60);
  const unfound: string[] = [];
  for (const operation of operations.filter(({ method, path }) => method === 'GET' && path.includes('{'))) {
    if (operation.path.startsWith('/v1/tenants')) continue;
    const answers = await Promise.all(
      namesOf(theirs).map(async (name) => {
        const url = operation.path.replace(/\{[^}]*\}/g, encoded(name));
        return (await send({ method: 'GET', url, payload: undefined }, 'token-theirs')).status;
      }),
    );
    if (!answers.includes(200)) unfound.push(nameOf(operation));
  }
  expect(unfound).toEqual([]);
});

describe('with what another tenant has', () => {
  test('a route finds nothing, says what it says of what there isn’t, and changes nothing', {
    timeout: 300_000,
  }, async () => {
    const before = await theirRows.dump();
    const { phantom, renamed } = phantomOf(theirs);
    const secret = [...namesOf(theirs).filter((name) => uuid.test(name)), 'theirs-value', 'theirs-message'];
    for (const operation of operations) {
      const real = requestsOf(operation, namesOf(theirs));
      const made = requestsOf(operation, namesOf(phantom));
      for (const [index, request] of real.entries()) {
        const absent = made[index] as Request;
        const found = await send(request, 'token-mine');
        const named = `${request.method} ${request.url} ${request.payload ?? ''}`;
        for (const trace of secret) if (!named.includes(trace)) expect(found.text, named).not.toContain(trace);
        if (!operation.path.includes('{')) continue;
        const expected = await send(absent, 'token-mine');
        expect([found.status, renamed(found.text)], named).toEqual([expected.status, expected.text]);
      }
      expect(await theirRows.dump(), nameOf(operation)).toEqual(before);
    }
  });

  test('the header that names the other tenant opens nothing', { timeout: 120_000 }, async () => {
    const before = await theirRows.dump();
    for (const operation of operations.filter(({ path }) => path.startsWith('/v1/') || path.startsWith('/api/'))) {
      const [request] = requestsOf(operation, namesOf(theirs));
      for (const named of ['theirs', theirs.tenantId]) {
        const answer = await send(request as Request, 'token-mine', { 'x-keyferry-tenant': named });
        expect([nameOf(operation), answer.status, answer.text]).toEqual([
          nameOf(operation),
          404,
          expect.stringContaining('tenant_not_found'),
        ]);
      }
    }
    expect(await theirRows.dump()).toEqual(before);
  });

  test('an operator without permissions on paths gets no value and changes none', async () => {
    people.set('operator', knownIdentity('operator', mine.tenantId, { operator: true, scopes: new Set(scopes) }));
    const named = { 'x-keyferry-tenant': 'theirs' };
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect(
        (
          await send(
            { method, url: '/v1/secrets/theirs/key', payload: method === 'PUT' ? '{"value":"x"}' : undefined },
            'operator',
            named,
          )
        ).status,
      ).toBe(403);
    expect((await send({ method: 'GET', url: '/v1/keys', payload: undefined }, 'operator', named)).text).toContain(
      'theirs/key',
    );
  });

  test('who follows changes is told of none', async () => {
    const address = await api.app.listen({ host: '127.0.0.1', port: 0 });
    const abort = new AbortController();
    const response = await fetch(`${address}/v1/changes`, {
      headers: { authorization: 'Bearer token-mine' },
      signal: abort.signal,
    });
    const write = (name: string, path: string) =>
      send(
        { method: 'PUT', url: `/v1/secrets/${path}`, payload: JSON.stringify({ value: `sk-${Math.random()}` }) },
        `token-${name}`,
      );
    expect((await write('theirs', 'theirs/new')).status).toBe(201);
    expect((await write('mine', 'mine/new')).status).toBe(201);
    let told = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      told += decoder.decode(chunk, { stream: true });
      if (told.includes('mine/new')) break;
    }
    abort.abort();
    expect(told).not.toContain('theirs');
  });
});
