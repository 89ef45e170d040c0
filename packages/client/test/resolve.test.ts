import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createClient, KeyferryClientError } from '../src/index.ts';
import { startSite } from './support/clients.ts';

const canary = 'canary-71c3-client';

describe('resolve', () => {
  test('gives the value of a secret, a field of it, and a variable; any other text is itself', async () => {
    const { client } = await startSite(
      { 'app/key': 'sk-1', 'app/pair': '{"user":"u","password":"p"}', 'app/one': '{"value":"only"}', 'a#b%c': 'odd' },
      { environment: { HOST: 'localhost' } },
    );
    const texts = [
      'vault.app/key',
      'vault.app/pair#password',
      'vault.app/one',
      'vault.a%23b%25c',
      'env.HOST',
      'plain',
      '',
    ];
    expect(await Promise.all(texts.map(client.resolve))).toEqual([
      'sk-1',
      'p',
      'only',
      'odd',
      'localhost',
      'plain',
      '',
    ]);
  });

  test.each([
    ['vault.not/there', 'key_not_found', 'vault.not/there'],
    ['vault.app/key#field', 'field_not_found', 'vault.app/key#field'],
    ['vault.empty', 'value_empty', 'vault.empty'],
    ['vault.bytes', 'value_not_text', 'vault.bytes'],
    ['env.UNSET', 'reference_unresolved', 'env.UNSET'],
    ['env.EMPTY', 'reference_unresolved', 'env.EMPTY'],
    ['env.toString', 'reference_unresolved', 'env.toString'],
    [`env.${canary}`, 'reference_invalid', null],
    [`vault.${canary}#a#b`, 'reference_invalid', null],
    ['vault.', 'reference_invalid', null],
  ])('%s is an error, never an empty text', async (text, code, reference) => {
    const { api, client } = await startSite({ 'app/key': 'sk-1', empty: '' }, { environment: { EMPTY: '' } });
    api.secrets.set('bytes', Buffer.from([0xff, 0xfe]));
    const error = await client.resolve(text).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(KeyferryClientError);
    expect(error).toMatchObject({ code, reference, action: expect.stringMatching(/\.$/) });
    expect(inspect(error)).not.toContain(canary);
  });

  test('asks once for what is asked for at the same time, and in one request', async () => {
    const { api, client, reads } = await startSite({ a: '1', b: '{"x":"2","y":"3"}' });
    const texts = ['vault.a', 'vault.b#x', 'vault.a', 'vault.b#y', 'plain'];
    expect(await Promise.all(texts.map(client.resolve))).toEqual(['1', '2', '1', '3', 'plain']);
    expect(reads()).toBe(1);
    expect(api.requests[0]?.references).toEqual(['vault.a', 'vault.b#x', 'vault.b#y']);
  });

  test('sends more than fits into one request in several', async () => {
    const names = Array.from({ length: 2_500 }, (_, index) => `app/${index}`);
    const { api, client, reads } = await startSite(Object.fromEntries(names.map((name) => [name, `value of ${name}`])));
    const values = await Promise.all(names.map((name) => client.resolve(`vault.${name}`)));
    expect(values).toEqual(names.map((name) => `value of ${name}`));
    expect(reads()).toBe(3);
    expect(Math.max(...api.requests.map(({ references }) => references.length))).toBe(1_000);
  });

  test('one that Keyferry does not take stops none of the others', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `app/${index}`);
    const { client } = await startSite(Object.fromEntries(names.map((name) => [name, name])));
    const texts = names.map((name) => `vault.${name}`).toSpliced(7, 0, `vault.${'x'.repeat(9_000)}`);
    const outcomes = await Promise.allSettled(texts.map(client.resolve));
    expect(outcomes[7]).toMatchObject({ status: 'rejected', reason: { code: 'request_invalid' } });
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
  });

  test('says that it is the token, or the address, where it is', async () => {
    const { api, client } = await startSite({ a: '1' });
    const stranger = createClient({ url: api.url, token: 'another' });
    await expect(stranger.resolve('vault.a')).rejects.toMatchObject({ code: 'unauthorized', reference: 'vault.a' });
    await api.stop();
    const away = { code: 'api_unavailable', message: expect.stringContaining('ECONNREFUSED'), reference: 'vault.a' };
    await expect(client.resolve('vault.a')).rejects.toMatchObject(away);
  });

  test('rejects after close', async () => {
    const { client } = await startSite({ a: '1' });
    const reading = client.resolve('vault.a');
    client.close();
    await expect(reading).rejects.toMatchObject({ code: 'client_closed' });
    await expect(client.resolve('vault.a')).rejects.toMatchObject({ code: 'client_closed' });
  });
});

describe('resolveAll', () => {
  test('resolves a configuration at any depth, in one request, and leaves everything else as it is', async () => {
    const { client, reads } = await startSite(
      { openai: 'sk-1', database: '{"user":"u","password":"p"}' },
      { environment: { REGION: 'eu' } },
    );
    const since = new Date(0);
    const configuration = {
      providers: [{ name: 'openai', key: 'vault.openai' }, 'vault.openai'],
      database: { user: 'vault.database#user', password: 'vault.database#password', port: 5432, tls: true },
      region: 'env.REGION',
      empty: '',
      nothing: null,
      since,
    };
    const before = structuredClone(configuration);
    const resolved = await client.resolveAll(configuration);
    expect(resolved).toEqual({
      providers: [{ name: 'openai', key: 'sk-1' }, 'sk-1'],
      database: { user: 'u', password: 'p', port: 5432, tls: true },
      region: 'eu',
      empty: '',
      nothing: null,
      since,
    });
    expect(resolved.since).toBe(since);
    expect(configuration).toEqual(before);
    expect(reads()).toBe(1);
  });

  test('resolves what another realm made, and leaves instances of classes alone', async () => {
    const { client } = await startSite({ a: '1' });
    const foreign = runInNewContext(`({ list: [{ key: 'vault.a' }] })`);
    expect(JSON.stringify(await client.resolveAll(foreign))).toBe('{"list":[{"key":"1"}]}');
    const instance = new (class {
      key = 'vault.a';
    })();
    expect((await client.resolveAll({ instance })).instance).toBe(instance);
    expect(instance.key).toBe('vault.a');
  });

  test('resolves a single text, and what is held twice once', async () => {
    const { client } = await startSite({ a: '1' });
    expect(await client.resolveAll('vault.a')).toBe('1');
    const shared = { key: 'vault.a' };
    const resolved = await client.resolveAll({ one: shared, other: shared });
    expect(resolved).toEqual({ one: { key: '1' }, other: { key: '1' } });
    expect(resolved.one).toBe(resolved.other);
  });

  test('names all that can’t be resolved in one error', async () => {
    const { client } = await startSite({ a: '1' });
    const configuration = { good: 'vault.a', list: ['vault.b', { deep: 'env.UNSET' }], bad: `vault.#${canary}` };
    const error = await client.resolveAll(configuration).catch((error: unknown) => error);
    expect(error).toMatchObject({
      code: 'references_unresolved',
      failures: [
        { place: 'list[0]', reference: 'vault.b', code: 'key_not_found' },
        { place: 'list[1].deep', reference: 'env.UNSET', code: 'reference_unresolved' },
        { place: 'bad', reference: null, code: 'reference_invalid' },
      ],
    });
    expect(String(error)).toMatch(/3 references .*list\[0\], vault\.b: .*list\[1\]\.deep, env\.UNSET: .*bad: /);
    expect(inspect(error)).not.toContain(canary);
  });

  test('refuses a configuration that holds itself, or is nested without measure', async () => {
    const { client } = await startSite();
    const circle: Record<string, unknown> = { inner: {} };
    circle.inner = { again: circle };
    await expect(client.resolveAll(circle)).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: 'The configuration holds itself, at inner.again.',
    });
    let deep: unknown = 'vault.a';
    for (let depth = 0; depth < 5_000; depth++) deep = [deep];
    await expect(client.resolveAll(deep)).rejects.toMatchObject({ code: 'configuration_invalid' });
  });

  test('changes no prototype', async () => {
    const { client } = await startSite({ a: '1' });
    const configuration = JSON.parse(
      '{"__proto__":{"polluted":"vault.a"},"constructor":{"prototype":{"p":"vault.a"}}}',
    );
    const resolved = await client.resolveAll(configuration);
    expect(Object.getPrototypeOf(resolved)).toBe(Object.prototype);
    expect(JSON.stringify(resolved)).toBe('{"__proto__":{"polluted":"1"},"constructor":{"prototype":{"p":"1"}}}');
    expect({}).not.toHaveProperty('polluted');
  });
});

test('a client prints no value and no token', async () => {
  const { api, client, settle } = await startSite({ a: canary });
  await settle('vault.a');
  const printed = inspect(client, { depth: 10, showHidden: true }) + JSON.stringify(client);
  expect(printed).not.toContain(canary);
  expect(printed).not.toContain(api.token);
});

test.each([
  ['url', { url: 'keyferry.example.com' }],
  ['url', { url: 'https://user:password@keyferry.example.com' }],
  ['token', { token: `${canary} with a space` }],
  ['cacheTtl', { cacheTtl: '5' as never }],
  ['maxStale', { maxStale: '1.5h' as never }],
  ['maxEntries', { maxEntries: 0 }],
])('a wrong %s is refused at once', (name, wrong) => {
  const make = () => createClient({ url: 'http://localhost:1', token: 'token', ...wrong });
  expect(make).toThrow(expect.objectContaining({ code: 'options_invalid', message: expect.stringContaining(name) }));
  expect(make).not.toThrow(expect.objectContaining({ message: expect.stringContaining(canary) }));
});
