import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Attacked, startAttacked, store } from './support/attacked.ts';

/**
 * What is cheap to send must not be dear to answer. Each is answered before a watchdog that only a hang meets, and so is
 * somebody else meanwhile: one that takes the process for itself is seen by whoever waits beside it.
 */

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked();
  for (let index = 0; index < 20; index++) await store(attacked, `local/${'a'.repeat(index + 1)}`);
});
afterAll(() => attacked[Symbol.asyncDispose]());

const backend = () => `/v1/federation/backends/${attacked.backendId}`;

/** Sends a bomb, and an ordinary request just behind it. */
async function survive(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
  const [answer, other] = await Promise.all([
    attacked.send(method, path, body),
    attacked.send('GET', '/v1/secrets/local/a'),
  ]);
  expect(other.status).toBe(200);
  expect(answer.status, answer.text.slice(0, 300)).toBeLessThan(500);
  return answer;
}

describe('JSON', () => {
  const room = 250 * 1024;
  test.each([
    ['arrays in arrays', '['.repeat(room / 2) + ']'.repeat(room / 2)],
    ['arrays in arrays without an end', '['.repeat(room)],
    ['objects in objects', `${'{"a":'.repeat(room / 6)}1${'}'.repeat(room / 6)}`],
    ['a huge array', `[${'1,'.repeat(room / 2 - 2)}1]`],
    ['a number of many digits', '9'.repeat(room)],
    ['a number of many places', `0.${'1'.repeat(room)}`],
    ['a number that is none any more', '1e999999999'],
    ['many numbers of many digits', `[${`${'9'.repeat(1_000)},`.repeat(200)}1]`],
    ['many keys', `{${Array.from({ length: 15_000 }, (_, at) => `"k${at}":1`).join(',')}}`],
    ['one key many times', `{${'"references":["a"],'.repeat(10_000)}"references":["a"]}`],
    ['one long text', JSON.stringify('a'.repeat(room))],
    ['a text of escapes', `"${'\\u0000'.repeat(room / 6)}"`],
    ['halves of surrogate pairs', `"${'\\ud800'.repeat(room / 6)}"`],
  ])('%s, wherever JSON is taken', { timeout: 120_000 }, async (_what, text) => {
    for (const [method, path] of [
      ['POST', '/v1/secrets/resolve'],
      ['PUT', '/v1/secrets/local/bomb'],
      ['POST', '/v1/federation/backends'],
      ['PATCH', backend()],
      ['POST', '/v1/keys/revoke'],
    ] as const) {
      await survive(method, path, text);
      await survive(method, path, `{"value":${text}}`);
      await survive(method, path, `{"config":{"auth":${text}},"validation_rules":${text},"references":${text}}`);
    }
  });

  test('what is larger than a body may be is refused before it is read', async () => {
    const { status } = await attacked
      .send('POST', '/v1/secrets/resolve', `["${'a'.repeat(1024 * 1024)}"]`)
      .catch(() => ({
        // The connection may end before all of it was sent.
        status: 413,
      }));
    expect(status).toBe(413);
  });
});

describe('references', () => {
  test.each([
    ['as many and as long as a request has room for', Array.from({ length: 30 }, () => `vault.${'a/'.repeat(4_000)}b`)],
    ['a hundred of 2 KiB', Array.from({ length: 100 }, (_, at) => `vault.local/${'%41'.repeat(680)}${at}`)],
    ['a thousand of the same secret', Array.from({ length: 1_000 }, () => 'vault.local/a')],
    ['a thousand that are not there', Array.from({ length: 1_000 }, (_, at) => `vault.local/none/${at}`)],
    ['of signs that part them', Array.from({ length: 100 }, () => `vault.${'#'.repeat(2_000)}`)],
    ['of escapes', Array.from({ length: 100 }, () => `vault.${'%'.repeat(2_000)}`)],
    ['of dots', Array.from({ length: 100 }, () => `vault.${'../'.repeat(680)}a`)],
    ['of letters that are composed', Array.from({ length: 100 }, () => `vault.local/a${'\u0301'.repeat(500)}`)],
  ])('%s', { timeout: 60_000 }, async (_what, references) => {
    const { status, text } = await survive('POST', '/v1/secrets/resolve', { references });
    expect(status).toBe(200);
    expect(JSON.parse(text).items).toHaveLength(references.length);
  });
});

describe('patterns and globs', () => {
  const long = `${'a'.repeat(50_000)}!`;

  test.each([
    '(a+)+$',
    '^(a|a)*$',
    '^(a|aa)+$',
    '(.*a){20}',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(a?){50}a{50}',
    '(?:a*)*b',
    '(\\w*)*\\W$',
  ])('a rule with the pattern %s', { timeout: 60_000 }, async (pattern) => {
    const rules = [
      { paths: ['local/judged'], pattern },
      { paths: ['local/schema'], json_schema: { type: 'string', pattern } },
    ];
    await survive('PATCH', backend(), { validation_rules: rules });
    await survive('PUT', '/v1/secrets/local/judged', { value: long });
    await survive('PUT', '/v1/secrets/local/schema', { value: JSON.stringify(long) });
    await attacked.send('PATCH', backend(), { validation_rules: [] });
  });

  test.each([
    ['repetition of repetition', { pattern: `${'('.repeat(400)}a${')*'.repeat(100)}` }],
    ['a repetition of a thousand by a thousand', { pattern: '((a{1,1000}){1,1000}){1,1000}' }],
    ['a class of everything', { pattern: `[${'\\p{L}'.repeat(150)}]{1000}` }],
    ['backreferences', { pattern: '(a*)\\1\\1\\1b' }],
    ['looking ahead', { pattern: '^(?=(a+)+$)b' }],
  ])('a rule with %s', { timeout: 60_000 }, async (_what, check) => {
    await survive('PATCH', backend(), { validation_rules: [{ paths: ['local/judged'], ...check }] });
    await survive('PUT', '/v1/secrets/local/judged', { value: long });
    await attacked.send('PATCH', backend(), { validation_rules: [] });
  });

  /** So many alternatives in each of so many steps. */
  const branching = (depth: number): object =>
    depth === 0 ? { type: 'string' } : { anyOf: [branching(depth - 1), branching(depth - 1)] };
  const deep = (depth: number): object => (depth === 0 ? {} : { allOf: [deep(depth - 1)] });

  test.each([
    ['that branches', branching(9)],
    ['that is deep', deep(2_000)],
    ['that refers to itself', { $ref: '#' }],
    ['that refers elsewhere', { $ref: 'http://169.254.169.254/latest/meta-data' }],
    ['that negates', { not: { not: { not: deep(500) } } }],
    [
      'of many names',
      { patternProperties: Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`(a+)+${at}$`, {}])) },
    ],
    ['of unique items', { uniqueItems: true }],
    ['of large numbers', { multipleOf: 1e-300, minLength: 1e300, maxItems: Number.MAX_SAFE_INTEGER }],
  ])('a schema %s', { timeout: 60_000 }, async (_what, json_schema) => {
    await survive('PATCH', backend(), { validation_rules: [{ paths: ['local/schema'], json_schema }] });
    const value = JSON.stringify({
      ...Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`a${at}`, [[[at]]]])),
    });
    await survive('PUT', '/v1/secrets/local/schema', { value });
    await survive('PUT', '/v1/secrets/local/schema', { value: `${'['.repeat(100_000)}${']'.repeat(100_000)}` });
    await attacked.send('PATCH', backend(), { validation_rules: [] });
  });

  test.each([
    ['many stars in a segment', `local/${'*a'.repeat(200)}b`],
    ['many wildcards of any depth', `${'**/'.repeat(200)}b`],
    ['both', `${'**/*a*/'.repeat(80)}b`],
    ['question marks', `local/${'?'.repeat(900)}*`],
    ['stars alone', '*'.repeat(1_000)],
    ['many segments', `${'a/'.repeat(500)}*`],
  ])('a glob with %s', { timeout: 60_000 }, async (_what, glob) => {
    const target = `local/${'a'.repeat(900)}`;
    await survive('PATCH', backend(), { exclude_paths: Array.from({ length: 50 }, () => glob) });
    await survive('PATCH', backend(), { path_mapping: [{ from: glob, to: glob }] });
    await survive('PATCH', backend(), { lifecycle_rules: [{ paths: [glob], grace_period: '1h' }] });
    await survive('GET', `/v1/secrets/${target}`);
    await survive('POST', '/v1/keys/revoke', { paths: [glob], reason: 'an attack' });
    await survive('GET', `/v1/secrets?prefix=${encodeURIComponent(glob)}`);
    await attacked.send('PATCH', backend(), { exclude_paths: [], path_mapping: [], lifecycle_rules: [] });
  });
});

describe('addresses', () => {
  test.each([
    ['many parameters', `/v1/secrets?${Array.from({ length: 1_500 }, (_, at) => `a${at}=1`).join('&')}`],
    ['one parameter many times', `/v1/secrets?${'prefix=a&'.repeat(1_200)}`],
    ['brackets in brackets', `/v1/secrets?${'a['.repeat(3_000)}`],
    ['a long cursor', `/v1/secrets?cursor=${'A'.repeat(12_000)}`],
    ['a cursor of deep JSON', `/v1/secrets?cursor=${Buffer.from('['.repeat(8_000)).toString('base64url')}`],
    ['escapes', `/v1/secrets/${'%25'.repeat(1_000)}`],
    ['a limit that is no number', '/v1/secrets?limit=1e309'],
    ['a version that is too large', '/v1/secrets/local/a?version=99999999999999999999'],
  ])('%s', async (_what, path) => {
    await survive('GET', path);
  });
});

test('after all that, the process is the one that was started, and answers at once', async () => {
  const { status } = await attacked.send('GET', '/v1/secrets/local/a');
  expect(status).toBe(200);
  expect(attacked.output()).not.toContain('a fault of Keyferry ended the process');
});
