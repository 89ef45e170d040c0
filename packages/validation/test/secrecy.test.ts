import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRules } from '../src/index.ts';
import { fake, rule } from './support.ts';

const canary = 'CANARY';

/** Values of many shapes, the canary somewhere in each: as text, as a field's value, as a field's name. */
const values = fc
  .oneof(
    fc.tuple(fc.string(), fc.string()).map(([before, after]) => `${before}${canary}${after}`),
    fc.constantFrom(...Object.values(fake)).map((key) => `${key.slice(0, 20)}${canary}`),
    fc
      .constantFrom('-----BEGIN CERTIFICATE-----\n', '"sk-proj-', '${', '<', ' ', 'ghp_')
      .map((start) => start + canary),
    fc.json({ depthSize: 'small' }).map((json) => `{"${canary}":${json}}`),
    fc.string().map((text) => JSON.stringify({ value: text + canary })),
    fc.string().map((text) => JSON.stringify({ key: `${canary}${text}`, n: [canary], [canary]: { [canary]: canary } })),
  )
  .map((text) => Buffer.from(text));

const checks = [
  { type: 'api_key' },
  { type: 'json', max_length: 1 },
  { type: 'certificate' },
  { type: 'ssh_key' },
  { type: 'openai_api_key', pattern: '[0-9]+', min_length: 9000 },
  { fields: { key: { pattern: 'x', type: 'api_key' }, n: { json_schema: { items: { type: 'number' } } }, other: {} } },
  { json_schema: { additionalProperties: false } },
  { json_schema: { propertyNames: { pattern: '^x' } } },
  { json_schema: { properties: { value: { enum: ['x'] }, key: { pattern: '^x' }, n: { items: { const: 1 } } } } },
  { json_schema: { patternProperties: { '^C': false }, unevaluatedProperties: { type: 'null' } } },
  { json_schema: { anyOf: [{ type: 'number' }, { dependentRequired: { key: ['x'] }, required: ['x'] }] } },
];

test('no part of a value, and no name of a field that only the value knows, is ever in a problem', () => {
  const judges = checks.map((given) => parseRules([rule(given)]));
  let problemsSeen = 0;
  fc.assert(
    fc.property(values, (value) => {
      for (const { judge } of judges) {
        const { problems } = judge('team/openai', value, undefined);
        problemsSeen += problems.length;
        expect(JSON.stringify(problems)).not.toContain(canary);
      }
    }),
  );
  expect(problemsSeen).toBeGreaterThan(500);
});

test('a judge throws for no bytes whatever', () => {
  const judges = checks.map((given) => parseRules([rule(given)]));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.option(fc.string(), { nil: undefined }), (bytes, tag) => {
      for (const { judge } of judges) judge('team/key', Buffer.from(bytes), tag);
    }),
  );
});
