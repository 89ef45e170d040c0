import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, parseJson } from '../src/common/json.ts';

test('any JSON survives being parsed and written canonically', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(JSON.parse(canonicalJson(parseJson(text)))).toEqual(JSON.parse(text));
    }),
  );
});

test('any number keeps its digits, wherever it stands', () => {
  const digits = fc.stringMatching(/^-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?$/);
  fc.assert(
    fc.property(digits, (number) => {
      for (const text of [number, `[${number}]`, `{"a":${number}}`, `{"a":[1,${number}],"b":"x: 1"}`])
        expect(canonicalJson(parseJson(text))).toBe(text);
    }),
  );
});

test('white space around a number changes nothing', () => {
  expect(canonicalJson(parseJson('{ "a" : 1.10 ,\n"b":\t12345678901234567890 }'))).toBe(
    '{"a":1.10,"b":12345678901234567890}',
  );
});

test('members named like those of Object are members', () => {
  const text = '{"__proto__":{"a":1.0},"constructor":"x"}';
  expect(canonicalJson(parseJson(text))).toBe(text);
});
