import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Attacked, json, startAttacked, store } from './support/attacked.ts';

/** Nothing that is sent gets onto what all objects inherit. */

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked();
  await store(attacked, 'local/a');
});
afterAll(() => attacked[Symbol.asyncDispose]());
afterEach(async () => expect(await attacked.polluted()).toBe(false));

const id = '00000000-0000-4000-8000-000000000000';

/** As text: a literal's `__proto__` would be no member. */
const poisons = {
  __proto__: '"__proto__": {"polluted": true}',
  'constructor.prototype': '"constructor": {"prototype": {"polluted": true}}',
  'both, deeper':
    '"a": [{"__proto__": {"__proto__": {"polluted": true}}, "constructor": {"prototype": {"polluted": true}}}]',
  'an escaped name': '"\\u005f_proto__": {"polluted": true}',
};

interface Described {
  paths: Record<string, Record<string, { requestBody?: unknown }>>;
}

test.each(Object.entries(poisons))(
  '%s in the body of every route that takes one',
  { timeout: 60_000 },
  async (_what, poison) => {
    const { paths } = JSON.parse((await attacked.send('GET', '/openapi.json')).text) as Described;
    let asked = 0;
    for (const [path, methods] of Object.entries(paths))
      for (const [method, { requestBody }] of Object.entries(methods)) {
        if (requestBody === undefined) continue;
        const address = path.replace(/\{path\}/, 'local/a').replace(/\{[^}]+\}/g, id);
        const { status } = await attacked.send(method.toUpperCase(), address, `{${poison}}`);
        expect(status, `${method} ${path}`).toBeGreaterThanOrEqual(400);
        expect(status, `${method} ${path}`).toBeLessThan(500);
        asked++;
      }
    expect(asked).toBeGreaterThan(10);
  },
);

test.each(Object.entries(poisons))('%s within the settings of a backend', async (what, poison) => {
  const settings = [
    `"config": {"address": "https://vault.example.com", "auth": {"method": "token", "token": "t"}, ${poison}}`,
    `"config": {"address": "https://vault.example.com", "auth": {"method": "token", "token": "t", ${poison}}}`,
    `"config": {"address": "https://vault.example.com", "auth": {"method": "token", "token": "t"}, "tls": {${poison}}}`,
    `"path_mapping": [{"from": "a/*", "to": "b/*", ${poison}}]`,
    `"path_mapping": {${poison}}`,
    `"lifecycle_rules": [{"paths": ["a/*"], ${poison}}]`,
    `"cache_rules": [{"paths": ["a/*"], ${poison}}]`,
    `"validation_rules": [{"paths": ["local/*"], "fields": {${poison}}}]`,
    `"validation_rules": [{"paths": ["local/*"], "json_schema": {${poison}}}]`,
    `"validation_rules": [{"paths": ["local/*"], "json_schema": {"properties": {${poison}}}}]`,
    `"validation_rules": [{"paths": ["local/*"], "json_schema": {"required": ["__proto__", "constructor"]}}]`,
  ];
  for (const setting of settings) {
    const { status, text } = await attacked.send(
      'PATCH',
      `/v1/federation/backends/${attacked.backendId}`,
      `{${setting}}`,
    );
    expect(status, `${what}: ${setting}: ${text}`).toBeLessThan(500);
    // What was taken is applied, and judged by.
    const written = await attacked.send(
      'PUT',
      '/v1/secrets/local/judged',
      `{"value": ${JSON.stringify(`{${poison}}`)}}`,
    );
    expect(written.status, written.text).toBeLessThan(500);
    await attacked.send('GET', '/v1/secrets/local/judged?field=polluted');
    await attacked.send('GET', '/v1/secrets/local/judged?field=__proto__');
  }
  await attacked.send('PATCH', `/v1/federation/backends/${attacked.backendId}`, { validation_rules: [] });
});

describe('queries', () => {
  test.each([
    '__proto__[polluted]=true',
    '__proto__.polluted=true',
    'constructor[prototype][polluted]=true',
    'constructor.prototype.polluted=true',
    '__proto__=polluted',
    'prefix[__proto__][polluted]=true',
    '%5f%5fproto%5f%5f%5bpolluted%5d=true',
  ])('%s', async (query) => {
    for (const path of ['/v1/secrets', '/v1/secrets/local/a', '/v1/keys', '/v1/events', '/v1/federation/backends']) {
      const { status } = await attacked.send('GET', `${path}?${query}`);
      expect(status).toBeLessThan(500);
    }
  });
});

test('values, fields and references that are named so are names like any other', async () => {
  const value = '{"__proto__": "one", "constructor": "two", "toString": "three"}';
  expect((await attacked.send('PUT', '/v1/secrets/local/odd', { value })).status).toBe(201);
  for (const [field, expected] of [
    ['__proto__', 'one'],
    ['constructor', 'two'],
    ['toString', 'three'],
  ]) {
    const { status, text } = await attacked.send('GET', `/v1/secrets/local/odd?field=${field}`);
    expect([status, JSON.parse(text).value]).toEqual([200, expected]);
  }
  for (const field of ['hasOwnProperty', 'valueOf', '__defineGetter__', 'prototype'])
    expect((await attacked.send('GET', `/v1/secrets/local/odd?field=${field}`)).status).toBe(404);
  for (const path of ['__proto__', 'constructor', 'local/__proto__', 'local/constructor/prototype'])
    expect((await attacked.send('GET', `/v1/secrets/${path}`)).status).toBe(404);
  const references = ['vault.local/odd#__proto__', 'vault.__proto__', 'vault.local/odd#hasOwnProperty'];
  const { text } = await attacked.send('POST', '/v1/secrets/resolve', { references });
  expect(JSON.parse(text).items.map((item: object) => 'value' in item)).toEqual([true, false, false]);
});

test('headers that are named so', async () => {
  for (const name of ['__proto__', 'constructor', 'prototype'])
    expect((await attacked.send('GET', '/v1/keys', undefined, { ...json, [name]: 'polluted' })).status).toBe(200);
});
