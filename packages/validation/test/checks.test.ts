import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseRules } from '../src/index.ts';
import { codesOf, fake, judged, rule, thrownBy } from './support.ts';

const certificate = readFileSync(new URL('fixtures/certificate.pem', import.meta.url), 'utf8');
const sshKey = `-----BEGIN OPENSSH PRIVATE KEY-----\n${'A'.repeat(70)}\n-----END OPENSSH PRIVATE KEY-----\n`;
const wrapped = (value: unknown) => JSON.stringify({ value });

test.each([
  ['pattern', { pattern: 'k-[0-9]+' }, 'k-12', 'value_pattern', 'k-12x'],
  ['pattern', { pattern: 'a|ab' }, 'ab', 'value_pattern', 'abc'],
  ['pattern on the field `value`', { pattern: '[a-z]+' }, wrapped('abc'), 'value_pattern', wrapped('ABC')],
  ['pattern on an object', { pattern: '\\{.*\\}' }, '{"a":1,"b":2}', 'value_pattern', 'a'],
  ['pattern on another single field', { pattern: '\\{.*\\}' }, '{"password":"x"}', 'value_pattern', wrapped('x')],
  ['min_length', { min_length: 3 }, 'abc', 'value_too_short', 'ab'],
  ['min_length, in bytes', { min_length: 3 }, 'éa', 'value_too_short', 'é'],
  ['min_length of the field `value`', { min_length: 3 }, wrapped('éa'), 'value_too_short', wrapped('é')],
  ['max_length', { max_length: 3 }, 'abc', 'value_too_long', 'abcd'],
  ['max_length, in bytes', { max_length: 3 }, 'éa', 'value_too_long', 'éé'],
  ['type of a format', { type: 'openai_api_key' }, fake.openai, 'value_type', fake.anthropic],
  ['type of a format that has no beginning', { type: 'aws_secret_access_key' }, 'A'.repeat(40), 'value_type', 'A'],
  ['type api_key', { type: 'api_key' }, 'short', 'value_type', 'two words'],
  ['type api_key on an object', { type: 'api_key' }, wrapped('short'), 'value_type', '{"a":"1","b":"2"}'],
  ['type virtual_key', { type: 'virtual_key' }, fake.bifrost, 'value_type', 'a\nb'],
  ['type json', { type: 'json' }, '{"a":1}', 'value_type', '{"a":1'],
  ['type json within the field `value`', { type: 'json' }, wrapped('[1]'), 'value_type', wrapped('plain')],
  ['type certificate', { type: 'certificate' }, certificate.repeat(2), 'value_type', certificate.slice(0, -40)],
  ['type certificate, damaged', { type: 'certificate' }, certificate, 'value_type', certificate.replace('MII', 'AAA')],
  ['type ssh_key', { type: 'ssh_key' }, sshKey, 'value_type', sshKey.slice(0, 60)],
  ['a field', { fields: { key: {} } }, '{"key":"x","other":1}', 'value_field_missing', '{"other":1}'],
  ['an inherited field', { fields: { toString: {} } }, '{"toString":""}', 'value_field_missing', '{"a":1}'],
  ['a field of no object', { fields: { key: {} } }, '{"key":"x"}', 'value_not_json', 'plain'],
  ['a field of a list', { fields: { key: {} } }, '{"key":"x"}', 'value_not_json', '["key"]'],
  ['a field `value`', { fields: { value: { min_length: 2 } } }, wrapped('ab'), 'value_too_short', wrapped('a')],
  ['a field that is a number', { fields: { n: { pattern: '[0-9]+' } } }, '{"n":12}', 'value_pattern', '{"n":true}'],
  ['a field’s type', { fields: { k: { type: 'api_key' } } }, '{"k":"abc"}', 'value_type', '{"k":"a b"}'],
  ['a field’s schema', { fields: { n: { json_schema: { type: 'number' } } } }, '{"n":1}', 'value_schema', '{"n":"1"}'],
  ['json_schema', { json_schema: { required: ['a'] } }, '{"a":1}', 'value_schema', '{"b":1}'],
  ['json_schema on the JSON as stored', { json_schema: { required: ['value'] } }, wrapped('x'), 'value_schema', '{}'],
  ['json_schema on a list', { json_schema: { type: 'array' } }, '[1]', 'value_schema', '1'],
  ['json_schema on what is no JSON', { json_schema: true }, '1', 'value_not_json', 'one'],
])('%s: one value passes, another does not', (_, given, good, code, bad) => {
  expect(judged(given, good)).toMatchObject({ rejected: false, rule: 0 });
  expect(codesOf(judged(given, good))).not.toContain(code);
  expect(judged(given, bad).rejected).toBe(true);
  expect(codesOf(judged(given, bad))).toContain(code);
});

test('a rule that warns reports the same problem and refuses nothing', () => {
  const { rejected, problems } = judged({ severity: 'warn', min_length: 100 }, 'plain text');
  expect(rejected).toBe(false);
  expect(problems).toEqual([
    {
      code: 'value_too_short',
      message: 'The value of "team/key" has fewer than 100 bytes (validation_rules[0].min_length).',
    },
  ]);
});

test('every check of a rule that fails is told, the whole value’s first', () => {
  const given = { type: 'api_key', max_length: 3, pattern: 'x', fields: { a: { pattern: 'x' }, b: {} } };
  expect(codesOf(judged(given, '{"a":"y","c":"z z"}'))).toEqual([
    'value_type',
    'value_too_long',
    'value_pattern',
    'value_pattern',
    'value_field_missing',
  ]);
});

test('the first rule with a matching glob judges a path, and no other', () => {
  const { judge, ruleOf } = parseRules([
    rule({ paths: ['a/*'], min_length: 9 }),
    rule({ paths: ['b', '**'], max_length: 1 }),
    rule({ paths: ['**'], pattern: 'never' }),
  ]);
  expect([ruleOf('a/b'), ruleOf('a/b/c'), ruleOf('b')]).toEqual([0, 1, 1]);
  expect(codesOf(judge('a/b', Buffer.from('long'), undefined))).toEqual(['value_too_short']);
  expect(codesOf(judge('c', Buffer.from('long'), undefined))).toEqual(['value_too_long']);
});

test('a path that no rule names is judged by none', () => {
  const { judge, ruleOf } = parseRules([rule({ paths: ['a'], pattern: 'x' })]);
  expect(ruleOf('b')).toBeNull();
  expect(judge('b', Buffer.from('plain text'), undefined)).toEqual({
    type: 'opaque',
    format: null,
    rejected: false,
    problems: [],
    rule: null,
  });
});

test('of bytes that are no text only the length is judged', () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80]);
  expect(judged({ min_length: 4, max_length: 4, type: 'opaque' }, bytes)).toMatchObject({
    rejected: false,
    problems: [],
  });
  expect(codesOf(judged({ min_length: 5 }, bytes))).toEqual(['value_too_short']);
  expect(codesOf(judged({ type: 'api_key' }, bytes))).toEqual(['value_type']);
  expect(codesOf(judged({ pattern: '(?s).*' }, bytes))).toEqual(['value_type']);
  expect(codesOf(judged({ json_schema: true, fields: { a: {} } }, bytes))).toEqual([
    'value_not_json',
    'value_not_json',
  ]);
});

test('a pattern that makes backtracking engines hang returns at once', () => {
  const text = `${'a'.repeat(100_000)}!`;
  expect(codesOf(judged({ pattern: '(a+)+$' }, text))).toEqual(['value_pattern']);
  expect(codesOf(judged({ pattern: '(a+)+!' }, text))).toEqual([]);
});

test('a value that is too large for a large pattern is not matched with it, and said to be so', () => {
  const { problems, rejected } = judged({ pattern: '.*a.{900}' }, 'a'.repeat(100_000));
  expect(rejected).toBe(true);
  expect(problems[0]?.message).toContain('too large to be matched');
});

test('a value nested a million deep is judged like any other', () => {
  const deep = `{"value":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`;
  const given = { pattern: 'x', json_schema: { type: 'string' }, fields: { value: { pattern: 'x' } } };
  expect(judged(given, deep).rejected).toBe(true);
});

test.each([
  ['no path', { paths: [] }, 'rule_invalid', 'validation_rules[1].paths names no path.'],
  ['a glob', { paths: ['a', '[a]'] }, 'glob_invalid', 'validation_rules[1].paths[1]: The glob "[a]"'],
  ['a type', { type: 'sort_of' }, 'rule_invalid', 'validation_rules[1].type is no type of key: "sort_of".'],
  ['a lookbehind', { pattern: '(?<=a)b' }, 'rule_invalid', 'RE2 has neither lookaround nor backreferences'],
  ['a lookahead', { pattern: '(?!a)b' }, 'rule_invalid', "validation_rules[1].pattern can't be used"],
  ['a backreference', { pattern: '(a)\\1' }, 'rule_invalid', 'invalid escape sequence'],
  ['a broken pattern', { pattern: '(a' }, 'rule_invalid', 'missing closing )'],
  ['a pattern of many repetitions', { pattern: '(.{90}|.{91}){10}(.{90}|.{91}){10}' }, 'rule_invalid', 'too large'],
  ['a long pattern', { pattern: 'a'.repeat(1001) }, 'rule_invalid', 'longer than 1,000 characters'],
  ['a negative length', { min_length: -1 }, 'rule_invalid', 'validation_rules[1].min_length'],
  ['a broken length', { max_length: 1.5 }, 'rule_invalid', 'validation_rules[1].max_length'],
  ['lengths that exclude each other', { min_length: 2, max_length: 1 }, 'rule_invalid', 'more than its max_length'],
  [
    'a field’s pattern',
    { fields: { key: { pattern: '(' } } },
    'rule_invalid',
    'validation_rules[1].fields.key.pattern',
  ],
  [
    'many fields',
    { fields: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`f${index}`, {}])) },
    'rule_invalid',
    'more than 100 fields',
  ],
])('%s that can’t be used is refused, with its place', (_, given, code, words) => {
  expect(thrownBy(given)).toMatchObject({ name: 'KeyferryError', code, message: expect.stringContaining(words) });
});

test('patterns that are small each and large together are refused', () => {
  const many = Array.from({ length: 600 }, (_, index) => rule({ pattern: `${index}` }));
  expect(() => parseRules(many)).toThrow('all patterns together are too large');
  expect(() => parseRules(many.slice(0, 200))).not.toThrow();
});
