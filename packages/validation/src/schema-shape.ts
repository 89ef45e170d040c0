import { isObject } from '@keyferry/core';

/** Bytes of a schema's JSON. */
const mostBytes = 64 * 1024;

/** How deep schemas, and the JSON of `const`, `enum` and annotations, may be nested. */
const mostDepth = 20;

/**
 * The keywords that may be used, by what they hold: a schema, a list of schemas, schemas by name, or plain JSON.
 *
 * A keyword is absent from here if its cost isn't bounded by schema size times value size, or if it reaches outside:
 * `$ref`, `$dynamicRef` and `$recursiveRef` apply one schema again and again; `uniqueItems` compares all items with
 * each other; `contains` remembers the failure of every item; `format` leads to patterns that are not linear.
 */
const keywords: Readonly<Record<string, 'schema' | 'list' | 'named' | 'plain'>> = {
  additionalProperties: 'schema',
  else: 'schema',
  if: 'schema',
  items: 'schema',
  not: 'schema',
  propertyNames: 'schema',
  // biome-ignore lint/suspicious/noThenProperty: it is the name of a keyword
  then: 'schema',
  unevaluatedItems: 'schema',
  unevaluatedProperties: 'schema',
  allOf: 'list',
  anyOf: 'list',
  oneOf: 'list',
  prefixItems: 'list',
  dependentSchemas: 'named',
  patternProperties: 'named',
  properties: 'named',
  $comment: 'plain',
  const: 'plain',
  default: 'plain',
  dependentRequired: 'plain',
  description: 'plain',
  enum: 'plain',
  exclusiveMaximum: 'plain',
  exclusiveMinimum: 'plain',
  maximum: 'plain',
  maxItems: 'plain',
  maxLength: 'plain',
  maxProperties: 'plain',
  minimum: 'plain',
  minItems: 'plain',
  minLength: 'plain',
  minProperties: 'plain',
  multipleOf: 'plain',
  pattern: 'plain',
  required: 'plain',
  title: 'plain',
  type: 'plain',
};

/**
 * The size of a schema, in bytes of JSON. Throws an Error that says why a schema isn't taken; whether its keywords hold
 * what they have to, ajv says.
 */
export function measureSchema(schema: unknown): number {
  walk(schema, 1);
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > mostBytes) throw new Error('it is larger than 64 KiB');
  return bytes;
}

function walk(schema: unknown, depth: number): void {
  if (depth > mostDepth) throw new Error(`it is nested deeper than ${mostDepth} levels`);
  if (typeof schema === 'boolean') return;
  if (!isObject(schema)) throw new Error('a schema has to be an object, true or false');
  for (const [keyword, value] of Object.entries(schema)) {
    const kind = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined;
    if (kind === undefined) throw new Error(`the keyword "${keyword.slice(0, 50)}" is not supported`);
    // What is neither list nor object is left to ajv, which names the place.
    if (kind === 'schema') walk(value, depth + 1);
    else if (kind === 'list' && Array.isArray(value)) for (const part of value) walk(part, depth + 1);
    else if (kind === 'named' && isObject(value)) for (const part of Object.values(value)) walk(part, depth + 1);
    else checkDepth(value, depth);
  }
}

function checkDepth(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > mostDepth) throw new Error(`it is nested deeper than ${mostDepth} levels`);
  for (const part of Object.values(value)) checkDepth(part, depth + 1);
}
