import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Attacked, canary, startAttacked, statusesIn, store, token, valueAt } from './support/attacked.ts';

/** A path is named by its address, decoded once, and by nothing else. */

let attacked: Attacked;
const stored = ['local/secret', 'local/public/one', 'local/caf\u00e9', 'local/Secret', 'local/%2e', 'local/a;b'];

beforeAll(async () => {
  attacked = await startAttacked();
  for (const path of stored) await store(attacked, path);
});
afterAll(() => attacked[Symbol.asyncDispose]());

/** The path that an address names, or null where it can't name one. */
function namedBy(target: string): string | null {
  const [, rest] = /^(?:http:\/\/[^/]*)?\/v1\/secrets\/([^?#]*)/.exec(target) ?? [];
  if (rest === undefined) return null;
  try {
    return decodeURIComponent(rest).normalize('NFC');
  } catch {
    return null;
  }
}

const get = (target: string) =>
  `GET ${target} HTTP/1.1\r\nHost: keyferry\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`;

test('what is stored is found under its own address', async () => {
  for (const path of stored) {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    expect(await attacked.raw(get(`/v1/secrets/${encoded}`))).toContain(JSON.stringify(valueAt(path)).slice(1, -1));
  }
});

describe('an address gives the value of the path that it names, or none', () => {
  test.each([
    ['dots', '/v1/secrets/local/public/../secret'],
    ['encoded dots', '/v1/secrets/local/public/%2e%2e/secret'],
    ['encoded dots in capitals', '/v1/secrets/local/public/%2E%2E/secret'],
    ['one dot of two encoded', '/v1/secrets/local/public/.%2e/secret'],
    ['a single dot', '/v1/secrets/local/./secret'],
    ['dots and an encoded slash', '/v1/secrets/local/public/..%2fsecret'],
    ['all of it encoded', '/v1/secrets/local%2fpublic%2f..%2fsecret'],
    ['an encoded slash', '/v1/secrets/local%2fsecret'],
    ['dots encoded twice', '/v1/secrets/local/public/%252e%252e/secret'],
    ['a slash encoded twice', '/v1/secrets/local%252fsecret'],
    ['what looks encoded once decoded', '/v1/secrets/local/%252e'],
    ['dots above the route', '/v1/keys/../secrets/local/secret'],
    ['dots above the root', '/../../v1/secrets/local/secret'],
    ['overlong dots', '/v1/secrets/local/public/%c0%ae%c0%ae/secret'],
    ['an overlong slash', '/v1/secrets/local%c0%afsecret'],
    ['an overlong slash of three bytes', '/v1/secrets/local%e0%80%afsecret'],
    ['half a surrogate pair', '/v1/secrets/local/%ed%a0%80secret'],
    ['a lone continuation byte', '/v1/secrets/local/secret%80'],
    ['an escape of Unicode', '/v1/secrets/local%u002fsecret'],
    ['half an escape', '/v1/secrets/local/secret%2'],
    ['decomposed letters', '/v1/secrets/local/cafe%cc%81'],
    ['composed letters', '/v1/secrets/local/caf%c3%a9'],
    ['raw bytes', '/v1/secrets/local/caf\u00c3\u00a9'],
    ['letters of full width', '/v1/secrets/local/%ef%bd%93ecret'],
    ['slashes of full width', '/v1/secrets/local%ef%bc%8fsecret'],
    ['a letter of no width', '/v1/secrets/local/sec%e2%80%8bret'],
    ['other capitals', '/v1/secrets/local/SECRET'],
    ['the route in capitals', '/V1/SECRETS/local/secret'],
    ['a slash at the end', '/v1/secrets/local/secret/'],
    ['a dot at the end', '/v1/secrets/local/secret.'],
    ['a space at the end', '/v1/secrets/local/secret%20'],
    ['two slashes within', '/v1/secrets/local//secret'],
    ['two slashes before', '/v1/secrets//local/secret'],
    ['two slashes at the root', '//v1/secrets/local/secret'],
    ['backslashes', '/v1/secrets/local\\secret'],
    ['encoded backslashes', '/v1/secrets/local%5csecret'],
    ['backslashes and dots', '/v1/secrets/local/public/..%5c..%5csecret'],
    ['a NUL at the end', '/v1/secrets/local/secret%00'],
    ['a NUL and an ending', '/v1/secrets/local/secret%00.txt'],
    ['a matrix parameter', '/v1/secrets/local/secret;x=1'],
    ['an encoded one', '/v1/secrets/local/secret%3bx=1'],
    ['one in the middle', '/v1/secrets/local;x=1/secret'],
    ['one that a name has', '/v1/secrets/local/a;b'],
    ['an ending of a format', '/v1/secrets/local/secret.json'],
    ['an encoded question mark', '/v1/secrets/local/secret%3fversion=1'],
    ['a fragment', '/v1/secrets/local/secret#local/public/one'],
    ['an encoded fragment', '/v1/secrets/local/secret%23a'],
    ['an encoded end of a line', '/v1/secrets/local/secret%0d%0aX: y'],
    ['a plus', '/v1/secrets/local/+secret'],
    ['another host in the address', 'http://another.example/v1/secrets/local/secret'],
    ['another host and dots', 'http://another.example/v1/secrets/local/public/../secret'],
    ['another scheme', 'file:///v1/secrets/local/secret'],
    ['the star', '*'],
    ['an address without a slash', 'v1/secrets/local/secret'],
    ['an authority', 'keyferry:443'],
    ['a template', '/v1/secrets/*'],
    ['nothing', '/v1/secrets/'],
    ['a very long one', `/v1/secrets/${'a/'.repeat(1_500)}secret`],
    ['a very deep climb', `/v1/secrets/${'../'.repeat(1_000)}local/secret`],
  ])('with %s: %s', async (_what, target) => {
    const said = await attacked.raw(get(target));
    const statuses = statusesIn(said);
    expect(statuses).toHaveLength(1);
    const [status = 0] = statuses;
    // What the vault itself finds wrong with a name is told as its answer.
    expect(status === 502 || status < 500, said).toBe(true);
    const path = namedBy(Buffer.from(target, 'latin1').toString());
    const own = path !== null && stored.includes(path) ? valueAt(path) : null;
    if (status === 200) expect(said).toContain(own ?? 'no path is named by it');
    expect(said.replaceAll(own ?? '\0', '')).not.toContain(`${canary}<`);
  });
});

describe('whoever writes names a path in the same way', () => {
  test.each([
    '/v1/secrets/local/public/%2e%2e/secret',
    '/v1/secrets/local/public/..%2fsecret',
    '/v1/secrets/local/public/%c0%ae%c0%ae/secret',
    '/v1/secrets/local//secret',
    '/v1/secrets/local/secret/',
    '/v1/secrets/local/secret%00',
    '/v1/keys/../secrets/local/secret',
  ])('%s leaves what there is', async (target) => {
    const body = JSON.stringify({ value: 'replaced' });
    for (const method of ['PUT', 'DELETE'])
      await attacked.raw(
        `${method} ${target} HTTP/1.1\r\nHost: keyferry\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    expect((await attacked.send('GET', '/v1/secrets/local/secret')).text).toContain(valueAt('local/secret'));
  });
});

describe('references name a path in the same way', () => {
  test.each([
    'vault.local/public/../secret',
    'vault.local/public/%2e%2e/secret',
    'vault.local/public/%252e%252e/secret',
    'vault.local//secret',
    'vault.local/secret/',
    'vault.local/secret%00',
    'vault.local\\secret',
    'vault.%c0%ae%c0%ae/local/secret',
    'vault./local/secret',
    'env.PATH',
    'env.KEYFERRY_API_TOKEN',
    'env.KEYFERRY_MASTER_KEY',
  ])('%s is no other one', async (reference) => {
    const { status, text } = await attacked.send('POST', '/v1/secrets/resolve', { references: [reference] });
    expect(status).toBe(200);
    expect(text).not.toContain(`${canary}<`);
    expect(text).not.toContain(token);
    expect(JSON.parse(text).items[0]).toHaveProperty('error');
  });
});
