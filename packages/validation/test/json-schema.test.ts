import { expect, test } from 'vitest';
import { parseRules } from '../src/index.ts';
import { codesOf, judged, rule, thrownBy } from './support.ts';

const passes = (json_schema: Record<string, unknown> | boolean, value: unknown) =>
  !judged({ json_schema }, typeof value === 'string' ? value : JSON.stringify(value)).rejected;

const nested = (depth: number): Record<string, unknown> => (depth === 1 ? {} : { not: nested(depth - 1) });

test.each([
  [{ type: 'object', required: ['a'], properties: { a: { minLength: 2 } } }, { a: 'ab' }, { a: 'a' }],
  [{ properties: { a: true }, additionalProperties: false }, { a: 1 }, { b: 1 }],
  [{ patternProperties: { '^k_': { type: 'string' } } }, { k_1: 'x' }, { k_1: 1 }],
  [{ patternProperties: { '^k_': {}, '^l_': {} }, additionalProperties: false }, { k_1: 1, l_1: 1 }, { m_1: 1 }],
  [{ properties: { a: { pattern: '^x' }, b: { pattern: '^y' } } }, { a: 'x', b: 'y' }, { a: 'x', b: 'x' }],
  [{ properties: { a: { pattern: '\\u0041\\d' } } }, { a: 'A1' }, { a: 'B1' }],
  [{ anyOf: [{ required: ['a'] }, { required: ['b'] }] }, { b: 1 }, { c: 1 }],
  [{ oneOf: [{ required: ['a'] }, { required: ['b'] }] }, { b: 1 }, { a: 1, b: 1 }],
  [{ prefixItems: [{ type: 'string' }], items: { type: 'number' } }, ['a', 1], ['a', 'b']],
  // biome-ignore lint/suspicious/noThenProperty: it is the name of a keyword
  [{ if: { required: ['a'] }, then: { required: ['b'] }, else: { required: ['c'] } }, { a: 1, b: 1 }, { a: 1 }],
  [{ allOf: [{ properties: { a: {} } }], unevaluatedProperties: false }, { a: 1 }, { b: 1 }],
  [{ dependentRequired: { a: ['b'] } }, { a: 1, b: 1 }, { a: 1 }],
  [{ required: ['toString'] }, { toString: 1 }, { a: 1 }],
  [{ properties: { $ref: { type: 'string' }, format: { enum: ['x'] } } }, { $ref: 'a', format: 'x' }, { $ref: 1 }],
  [{ $schema: 'https://json-schema.org/draft/2020-12/schema', const: { a: [1] } }, { a: [1] }, { a: [2] }],
  [true, {}, 'no JSON'],
])('%j passes one value and refuses another', (schema, good, bad) => {
  expect(passes(schema, good)).toBe(true);
  expect(passes(schema, bad)).toBe(false);
});

test('the schema false refuses everything', () => {
  expect(codesOf(judged({ json_schema: false }, '{}'))).toContain('value_schema');
});

test('a problem names the place in the schema, not in the value', () => {
  const json_schema = { properties: { region: { enum: ['eu'] } }, additionalProperties: { type: 'string' } };
  const message = (value: string) => judged({ json_schema }, value).problems[0]?.message;
  expect(message('{"region":"us"}')).toBe(
    'The value of "team/key" does not fit the schema at #/properties/region/enum (validation_rules[0].json_schema).',
  );
  expect(message('{"hidden":1}')).toContain('at #/additionalProperties/type');
  expect(message('{"hidden":1}')).not.toContain('hidden');
});

test.each([
  ['$ref', { $ref: '#' }, 'the keyword "$ref" is not supported'],
  ['$ref below', { properties: { a: { items: { $ref: 'https://example.com/s' } } } }, 'the keyword "$ref"'],
  ['$dynamicRef', { $dynamicRef: '#' }, 'the keyword "$dynamicRef"'],
  ['$recursiveRef', { $recursiveRef: '#' }, 'the keyword "$recursiveRef"'],
  ['$defs', { $defs: { a: {} } }, 'the keyword "$defs"'],
  ['$id', { $id: 'https://example.com/s' }, 'the keyword "$id"'],
  ['uniqueItems', { items: { uniqueItems: true } }, 'the keyword "uniqueItems"'],
  ['contains', { anyOf: [{ contains: {} }] }, 'the keyword "contains"'],
  ['format', { format: 'email' }, 'the keyword "format"'],
  ['a keyword of ajv', { properties: { a: { nullable: true } } }, 'the keyword "nullable"'],
  ['a misspelt keyword', { requierd: ['a'] }, 'the keyword "requierd"'],
  ['an inherited name', { constructor: {} }, 'the keyword "constructor"'],
  ['another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, 'its $schema is not'],
  ['$data', { properties: { a: { maximum: { $data: '1/b' } } } }, '/properties/a/maximum must be number'],
  ['a keyword of the wrong kind', { required: 'a' }, '/required must be array'],
  ['a type that there is not', { type: 'text' }, '/type'],
  ['a schema that is a number', { items: 1 }, 'a schema has to be an object, true or false'],
  ['a lookaround', { pattern: '(?=a)' }, 'RE2 has neither lookaround nor backreferences'],
  ['a lookaround of names', { patternProperties: { '(?<!a)b': {} } }, 'RE2 has neither'],
  ['deep nesting', nested(21), 'nested deeper than 20 levels'],
  ['deep JSON', { const: JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`) }, 'nested deeper than 20 levels'],
  ['a large schema', { enum: Array.from({ length: 20_000 }, (_, index) => index) }, 'larger than 64 KiB'],
  [
    'a schema that is too large to compile',
    { properties: Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`p${index}`, { type: 'null' }])) },
    'validation_rules[1].json_schema',
  ],
  [
    'too many patterns',
    { allOf: Array.from({ length: 600 }, (_, i) => ({ pattern: `${i}` })) },
    'together are too large',
  ],
])('%s is refused, with words', (_, json_schema, words) => {
  expect(thrownBy({ json_schema })).toMatchObject({
    name: 'KeyferryError',
    code: 'rule_invalid',
    message: expect.stringContaining(words),
  });
});

test('schemas that are small each and large together are refused', () => {
  const json_schema = { description: 'a'.repeat(50_000) };
  const set = (count: number) => () => parseRules(Array.from({ length: count }, () => rule({ json_schema })));
  expect(set(2)).not.toThrow();
  expect(set(3)).toThrow('all schemas together are larger than 128 KiB');
});

test('twenty levels are let through', () => {
  expect(thrownBy({ json_schema: nested(20) })).toBeNull();
});

test('patterns that make backtracking engines hang return at once, on values, on names and between keywords', () => {
  const text = `${'a'.repeat(100_000)}!`;
  expect(passes({ properties: { k: { pattern: '^(a+)+$' } } }, { k: text })).toBe(false);
  expect(passes({ patternProperties: { '^(a+)+$': false } }, { [text]: 1 })).toBe(true);
  expect(passes({ propertyNames: { pattern: '^(a+)+$' } }, { [text]: 1 })).toBe(false);
  const name = `${'a'.repeat(5_000)}!`;
  expect(passes({ properties: { [name]: {} }, patternProperties: { '^(a+)+$': false } }, { a: 1 })).toBe(false);
});

test('code in the names of a schema is a name and nothing more', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the name tries to be one
  const name = '"]);globalThis.hacked = true;//\u2028${globalThis.hacked = true}`';
  const schema = {
    properties: { [name]: { const: name } },
    required: [name],
    patternProperties: { '`\\$\\{a\\}': {} },
  };
  expect(passes(schema, { [name]: name })).toBe(true);
  expect(passes(schema, { [name]: 1 })).toBe(false);
  expect(globalThis).not.toHaveProperty('hacked');
});

test('a value that is too large for a large schema is not checked with it, and said to be so', () => {
  const json_schema = { items: { enum: Array.from({ length: 8_000 }, (_, index) => index) } };
  const { problems, rejected } = judged({ json_schema }, JSON.stringify(Array.from({ length: 100_000 }, () => 1)));
  expect(rejected).toBe(true);
  expect(problems[0]?.message).toContain('too large to be checked');
});
