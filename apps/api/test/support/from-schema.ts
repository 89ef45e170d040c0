import fc from 'fast-check';

/** A JSON Schema as the OpenAPI document has it. */
export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  minItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
}

export type Schemas = Record<string, JsonSchema>;

/** Texts that break what believes its input. */
const oddText = fc.oneof(
  fc.constantFrom(
    '',
    '..',
    '../..',
    'a//b',
    '/',
    '\0',
    'a\0b',
    '\ud800',
    '%2e%2e',
    '**',
    '__proto__',
    'constructor',
    '{{7*7}}',
  ),
  fc.constant('x'.repeat(1_025)),
  fc.constant('é'.repeat(600)),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const oddValue = fc.oneof(
  oddText,
  fc.constantFrom<unknown>(null, true, -1, 0, 1e308, 2 ** 53, [], {}, [[]], { __proto__: null, a: { b: [] } }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Values that fulfil a schema as far as it says; `known` are texts that mean something to this API, such as ids. */
export function valid(
  schema: JsonSchema,
  schemas: Schemas,
  known: readonly string[],
  depth = 0,
): fc.Arbitrary<unknown> {
  const of = (inner: JsonSchema) => valid(inner, schemas, known, depth + 1);
  if (schema.$ref) return of(schemas[schema.$ref.split('/').at(-1) as string] as JsonSchema);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map(of));
  if (schema.allOf) return fc.tuple(...schema.allOf.map(of)).map((parts) => Object.assign({}, ...parts));
  const [type] = [schema.type ?? (schema.properties ? 'object' : undefined)].flat();
  switch (type) {
    case 'object':
      return objectOf(schema, of, depth);
    case 'array':
      return fc.array(of(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: (schema.minItems ?? 0) + 3,
      });
    case 'string':
      return textOf(schema, known);
    case 'integer':
    case 'number':
      return fc.integer({
        min: Math.max(schema.minimum ?? -1_000, -(2 ** 31)),
        max: Math.min(schema.maximum ?? 1_000, 2 ** 31 - 1),
      });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return depth > 3 ? fc.constant('anything') : fc.jsonValue({ maxDepth: 2 });
  }
}

function objectOf(schema: JsonSchema, of: (inner: JsonSchema) => fc.Arbitrary<unknown>, depth: number) {
  const members = Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, of(inner)] as const);
  const named = fc.record(Object.fromEntries(members), { requiredKeys: schema.required ?? [] });
  if (typeof schema.additionalProperties !== 'object' || depth > 3) return named;
  const more = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), of(schema.additionalProperties), { maxKeys: 2 });
  return fc.tuple(named, more).map(([some, others]) => ({ ...others, ...some }));
}

function textOf({ format, pattern, minLength = 0, maxLength = 60 }: JsonSchema, known: readonly string[]) {
  const meaningful = known.length > 0 ? [fc.constantFrom(...known)] : [];
  if (format === 'uuid') return fc.oneof(fc.uuid(), ...meaningful);
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  const free = fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 40), unit: 'grapheme' });
  if (!pattern || /\(\?|\\[pP]/.test(pattern)) return fc.oneof(free, ...meaningful);
  return fc.oneof(fc.stringMatching(new RegExp(pattern, 'u')), ...meaningful);
}

/** The same with something wrong somewhere, most likely. */
export function invalid(schema: JsonSchema, schemas: Schemas, known: readonly string[]): fc.Arbitrary<unknown> {
  const spoilt = fc
    .tuple(valid(schema, schemas, known), fc.nat(), fc.constantFrom('replace', 'remove', 'add'), oddValue)
    .map(([value, place, how, odd]) => spoil(value, place, how, odd));
  return fc.oneof(spoilt, oddValue);
}

function spoil(value: unknown, place: number, how: string, odd: unknown): unknown {
  if (typeof value !== 'object' || value === null) return odd;
  const names = Object.keys(value);
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...value };
  const name = names[place % (names.length || 1)];
  if (how === 'add' || name === undefined)
    return Array.isArray(copy) ? [...copy, odd] : { ...copy, [typeof odd === 'string' ? odd : 'odd']: odd };
  if (how === 'remove') Reflect.deleteProperty(copy, name);
  else Reflect.set(copy, name, spoil(Reflect.get(copy, name), place >> 3, how, odd));
  return copy;
}

/** What a part of an address may be. */
export const pathPart = (known: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: known.length > 0 ? fc.constantFrom(...known) : oddText },
    { weight: 1, arbitrary: oddText },
  );
