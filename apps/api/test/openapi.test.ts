import { startVaultEmulator } from '@keyferry/emulators';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invalid, type JsonSchema, pathPart, type Schemas, valid } from './support/from-schema.ts';
import { startTestApi, type TestApi, token } from './support/test-api.ts';

/** Whatever is sent, a route answers what its description says, and never that it is at fault. */

const runs = process.env.KEYFERRY_TEST_FULL ? 400 : 25;

interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: 'path' | 'query' | 'header'; required?: boolean; schema: JsonSchema }[];
  body: JsonSchema | null;
  responses: Record<string, { content?: Record<string, { schema?: JsonSchema }> }>;
}

const methods = ['get', 'put', 'post', 'patch', 'delete'] as const;
/** Streams that end with their reader. */
const streaming = new Set(['GET /v1/changes']);

const cleanup = new AsyncDisposableStack();
let api: TestApi;
let known: string[];
/** By the part of a path before them: what is there. */
let things: Record<string, string[]>;
/** Bodies that do something, by what they are sent to. */
let bodies: Record<string, unknown[]>;
let schemas: Schemas;
let operations: Operation[];
const ajv = addFormats.default(new Ajv2020({ strict: false, allErrors: true }));

beforeAll(async () => {
  const vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const secret = vault.kv('secret');
  for (const name of ['one', 'two', 'three']) await secret.put(`bifrost/${name}`, { value: `sk-${name}` });
  api = await startTestApi({ allowedEgress: '127.0.0.1' });
  cleanup.defer(() => api.close());
  known = ['bifrost/one', 'bifrost/two', 'bifrost/three', 'vault.bifrost/one', 'main'];
  const config = {
    address: vault.url,
    mount: 'secret',
    allow_http: true,
    auth: { method: 'token', token: vault.rootToken },
  };
  const { body, status } = await api.call('POST', '/v1/federation/backends', {
    name: 'main',
    kind: 'hashicorp',
    config,
  });
  expect(status).toBe(201);
  known.push(body.id);
  await api.call('POST', '/v1/federation/backends/main/sync');
  await api.work();
  for (const key of (await api.call('GET', '/v1/keys')).body.items) known.push(key.id);
  const hook = { name: 'hook', kind: 'webhook', url: 'http://127.0.0.1:1/' };
  await api.call('POST', '/v1/notifications/channels', hook);
  await api.call('POST', '/v1/notifications/rules', { name: 'rule', channel: 'hook' });
  await api.query(`INSERT INTO keyferry.identities (tenant_id, name, scopes, created_by, created_at, updated_at)
    SELECT id, 'somebody', '{settings}', 'ann', now(), now() FROM keyferry.tenants`);
  const policy = {
    name: 'policy',
    path_glob: 'bifrost/**',
    permissions: ['read'],
    bindings: [{ identity: 'somebody' }],
  };
  expect((await api.call('POST', '/v1/policies', policy)).status).toBe(201);
  const [cycle] = (await api.call('GET', '/v1/federation/cycles')).body.items;
  await api.call('POST', '/v1/identities', { name: 'ci' });
  await api.call('POST', '/v1/identities/ci/tokens', { name: 'first' });
  const issuer = { name: 'issuer', issuer: 'https://issuer.example', audiences: ['keyferry'] };
  await api.call('POST', '/v1/issuers', { ...issuer, mappings: [{ claims: { sub: 'ci' }, identity: 'ci' }] });
  await api.call('POST', '/v1/tenants', { name: 'team' });
  things = {
    ...{ backends: ['main', body.id], cycles: [cycle.id], channels: ['hook'], rules: ['rule'] },
    ...{ identities: ['ci', 'first'], issuers: ['issuer'], policies: ['policy'], tenants: ['team'] },
  };
  const paths = { paths: ['bifrost/one'], reason: 'a test' };
  bodies = {
    'POST /v1/federation/backends': [{ name: 'other', kind: 'hashicorp', config }],
    'PATCH /v1/federation/backends/{id}': [{ sync_interval: '10m' }, { writes: 'local' }, { mode: 'proxy' }],
    'POST /v1/notifications/channels': [{ ...hook, name: 'another' }],
    'POST /v1/notifications/rules': [{ name: 'second', channel: 'hook' }],
    'POST /v1/identities': [{ name: 'another', scopes: ['settings'] }],
    'PATCH /v1/identities/{id}': [{ description: 'what it is for' }, { scopes: [] }],
    'POST /v1/identities/{id}/tokens': [{}, { name: 'second', expires_in: '30d' }],
    'POST /v1/issuers': [{ ...issuer, name: 'second' }],
    'PATCH /v1/issuers/{id}': [{ audiences: ['else'] }, { mappings: [] }],
    'POST /v1/policies': [{ ...policy, name: 'second' }],
    'PATCH /v1/policies/{id}': [{ permissions: ['admin'] }, { expires_at: '2100-01-01T00:00:00Z' }],
    'POST /v1/policies/check': [{ identity: 'somebody', permission: 'read', path: 'bifrost/one' }],
    'POST /v1/tenants': [{ name: 'another', max_keys: 5 }],
    'PATCH /v1/tenants/{id}': [{ max_backends: null }],
    'POST /v1/keys/revoke': [paths],
    'POST /v1/keys/unrevoke': [paths],
    'POST /v1/encryption/rotate': [{}],
    'POST /v1/encryption/rewrap': [{}],
    'PUT /v1/secrets/{path}': [{ value: 'sk-new' }],
    'PATCH /v1/audit/retention': [{ retention: '30d' }],
    'POST /v1/audit/verify': [{ anchors: [{ number: 1, hash: '0'.repeat(64) }] }],
    'POST /v1/secrets/resolve': [{ references: ['vault.bifrost/one', 'vault.bifrost/two#value', 'plain'] }],
  };
  const document = (await api.app.inject({ url: '/openapi.json' })).json();
  schemas = document.components.schemas;
  ajv.addSchema({ $id: 'document', components: document.components });
  operations = operationsOf(document.paths);
}, 60_000);
afterAll(() => cleanup.disposeAsync());

function operationsOf(paths: Record<string, Record<string, Record<string, unknown>>>): Operation[] {
  return Object.entries(paths)
    .flatMap(([path, byMethod]) =>
      methods.flatMap((method) => {
        const described = byMethod[method];
        if (!described || streaming.has(`${method.toUpperCase()} ${path}`)) return [];
        const {
          parameters = [],
          requestBody,
          responses,
        } = described as unknown as {
          parameters?: Operation['parameters'];
          requestBody?: { content: Record<string, { schema: JsonSchema }> };
          responses: Operation['responses'];
        };
        const body = requestBody?.content['application/json']?.schema ?? null;
        return [{ method: method.toUpperCase(), path, parameters, body, responses }];
      }),
    )
    .sort((one, other) => Number(one.method === 'DELETE') - Number(other.method === 'DELETE'));
}

interface Request {
  method: string;
  url: string;
  payload: unknown;
}

function requestTo(operation: Operation): fc.Arbitrary<Request> {
  const { method, path, parameters, body } = operation;
  const inPath = parameters.filter((parameter) => parameter.in === 'path');
  const inQuery = parameters.filter((parameter) => parameter.in === 'query' && parameter.name !== 'cursor');
  const pool = inPath.length > 0 ? thingsAt(path) : known;
  const query = fc.record(
    Object.fromEntries(inQuery.map(({ name, schema }) => [name, valid(schema, schemas, known)])),
    { requiredKeys: [] },
  );
  const oddQuery = fc.dictionary(fc.constantFrom('unknown', ...inQuery.map(({ name }) => name)), pathPart(known), {
    minKeys: 1,
    maxKeys: 2,
  });
  const examples = bodies[`${method} ${path}`] ?? [];
  const payload = body
    ? fc.oneof(
        ...(examples.length > 0 ? [fc.constantFrom(...examples)] : []),
        valid(body, schemas, known),
        invalid(body, schemas, known),
      )
    : fc.constant(undefined);
  const search = fc.oneof({ weight: 3, arbitrary: query }, { weight: 1, arbitrary: oddQuery });
  return fc.tuple(fc.tuple(...inPath.map(() => pathPart(pool))), search, payload).map(([parts, members, content]) => {
    let url = path;
    for (const [index, { name }] of inPath.entries()) url = url.replace(`{${name}}`, encoded(parts[index] ?? ''));
    const asked = new URLSearchParams(
      Object.entries(members).map(([name, value]): [string, string] => [name, String(value)]),
    );
    return { method, url: asked.size > 0 ? `${url}?${asked}` : url, payload: content };
  });
}

/** What may be named in this place; a cursor is known to the list alone that gave it. */
const thingsAt = (path: string): string[] => things[path.split('/{')[0]?.split('/').at(-1) ?? ''] ?? known;

const encoded = (text: string) => text.toWellFormed().split('/').map(encodeURIComponent).join('/');

/** What is said of an answer that its route does not describe; null where it does. */
function undescribed(operation: Operation, status: number, type: string, text: string): string | null {
  // Another route, or none: what a path with dots or slashes leads to.
  if (status === 404 && /"code":"not_found"/.test(text)) return null;
  const described = operation.responses[status];
  if (!described) return `the status ${status} is not described: ${text.slice(0, 300)}`;
  const [kind = ''] = type.split(';');
  const content = described.content?.[kind];
  if (!described.content || text === '') {
    // Of no lines.
    const empty = text === '' && kind === 'application/x-ndjson';
    return described.content && text === '' && !empty ? 'an answer without its body' : null;
  }
  if (!content) return `the type ${kind} is not described`;
  if (kind !== 'application/json' || !content.schema) return null;
  const check = ajv.compile(inDocument(content.schema));
  return check(JSON.parse(text)) ? null : `${ajv.errorsText(check.errors)}: ${text.slice(0, 500)}`;
}

const inDocument = (schema: JsonSchema) => JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/'));

describe('whatever is sent', () => {
  test('there is something to send it to', () => expect(operations.length).toBeGreaterThan(40));

  test('every route answers as it is described, and never with 500', { timeout: 600_000 }, async () => {
    for (const operation of operations)
      await fc.assert(
        fc.asyncProperty(requestTo(operation), async ({ method, url, payload }) => {
          const answer = await api.app.inject({
            method: method as 'GET',
            url,
            headers: {
              authorization: `Bearer ${token}`,
              ...(payload !== undefined && { 'content-type': 'application/json' }),
            },
            ...(payload !== undefined && { payload: JSON.stringify(payload) ?? '' }),
          });
          const { statusCode, headers } = answer;
          expect(statusCode, `${method} ${url} ${answer.payload}`).not.toBe(500);
          const type = String(headers['content-type'] ?? '');
          expect(undescribed(operation, statusCode, type, answer.payload), `${method} ${url}`).toBeNull();
        }),
        { numRuns: runs, endOnFailure: true },
      );
  });
});
