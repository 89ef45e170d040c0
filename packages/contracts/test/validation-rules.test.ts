import { expect, test } from 'vitest';
import { refusalOf } from '../src/index.ts';
import { validationRules } from '../src/validation-rules.ts';

const refusal = (rules: unknown) => {
  const { error } = validationRules.safeParse(rules);
  return error ? refusalOf(error.issues, 'config_invalid') : null;
};

test('rules are taken as they are, and refuse unless they say that they warn', () => {
  const json_schema = { type: 'object' };
  const rules = [
    { paths: ['bifrost/**'], type: 'openai_api_key', min_length: 20, fields: { key: {}, n: { json_schema: true } } },
    { paths: ['a', 'b/*'], pattern: 'x+', max_length: 9, json_schema, severity: 'warn' },
  ];
  expect(validationRules.parse(rules)).toEqual([{ ...rules[0], severity: 'reject' }, rules[1]]);
});

test.each([
  ['a pattern', [{ paths: ['a'] }, { paths: ['a'], pattern: '(?=a)' }], 'rule_invalid', 'validation_rules[1].pattern'],
  ['a glob', [{ paths: ['[a]'] }], 'glob_invalid', 'validation_rules[0].paths[0]'],
  ['a type', [{ paths: ['a'], type: 'x' }], 'rule_invalid', 'validation_rules[0].type'],
  ['a schema', [{ paths: ['a'], json_schema: { $ref: '#' } }], 'rule_invalid', 'validation_rules[0].json_schema'],
  ['an unknown member', [{ paths: ['a'], patern: 'x' }], 'config_invalid', 'patern'],
  ['an unknown member of a field', [{ paths: ['a'], fields: { b: { c: 1 } } }], 'config_invalid', '"c"'],
  ['no path', [{ paths: [] }], 'config_invalid', 'must name at least one path'],
  ['a length', [{ paths: ['a'], min_length: -1 }], 'config_invalid', '[0].min_length'],
  ['a severity', [{ paths: ['a'], severity: 'drop' }], 'config_invalid', '[0].severity'],
  ['too many rules', Array.from({ length: 201 }, () => ({ paths: ['a'] })), 'config_invalid', '200'],
])('%s that can’t be used is refused', (_, rules, code, words) => {
  expect(refusal(rules)).toMatchObject({ code, message: expect.stringContaining(words) });
});
