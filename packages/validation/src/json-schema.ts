import { Ajv2020, type AnySchemaObject } from 'ajv/dist/2020.js';
import type { PatternCompiler } from './linear-pattern.ts';
import { measureSchema } from './schema-shape.ts';

/** All schemas of one set of rules, in bytes of JSON: compiling so much takes about a second. */
const mostBytesTogether = 128 * 1024;

const draft = 'https://json-schema.org/draft/2020-12/schema';

export interface ValueSchema {
  /** Steps that a byte of value costs at most, roughly. */
  readonly weight: number;
  /** Where in the schema a value fails, such as `#/properties/region/enum`, or null if it passes. */
  failure(value: unknown): string | null;
}

/** Compiles the schemas of one set of rules. */
export class SchemaCompiler {
  readonly #patterns: PatternCompiler;
  readonly #ajv: Ajv2020;
  #bytes = 0;

  /**
   * Schemas come from tenants and may be hostile. They are safe to compile and run because
   * - of the keywords that `schema-shape.ts` lets through, each is applied at most once to each part of a value;
   * - ajv quotes every name and literal of a schema that it writes into code, and code from references to the value
   *   (`$data`) is off; formats, which would bring code of their own, are refused;
   * - all patterns go through RE2. `allowMatchingProperties` belongs to that: without it, ajv tries the names of
   *   `properties` on those of `patternProperties` with JavaScript's own engine;
   * - nothing is fetched: there are no references, and nothing is loaded;
   * - names that objects inherit are not taken for fields (`ownProperties`).
   */
  constructor(patterns: PatternCompiler) {
    this.#patterns = patterns;
    this.#ajv = new Ajv2020({
      strict: true,
      // Good schemas use these; strictness here would only be about style.
      strictTypes: false,
      strictTuples: false,
      strictRequired: false,
      allowMatchingProperties: true,
      allErrors: false,
      ownProperties: true,
      messages: false,
      logger: false,
      // A schema of its own per set of rules, so that what is compiled goes when the rules go; checked below.
      meta: false,
      validateSchema: false,
      addUsedSchema: false,
      code: {
        optimize: false,
        // The code is used where ajv writes modules to files, which is never done here.
        regExp: Object.assign((source: string) => patterns.anywhere(source), { code: 'undefined' }),
      },
    });
  }

  /** Throws an Error that says what is wrong with the schema. */
  compile(source: Record<string, unknown> | boolean): ValueSchema {
    const schema = withoutDraft(source);
    const bytes = measureSchema(schema);
    this.#bytes += bytes;
    if (this.#bytes > mostBytesTogether) throw new Error('all schemas together are larger than 128 KiB');
    checkAgainstDraft(schema);
    const before = this.#patterns.instructions;
    const validate = this.#ajv.compile(schema);
    const weight = 1 + Math.ceil(bytes / 16) + this.#patterns.instructions - before;
    return {
      weight,
      failure: (value) => (validate(value) ? null : (validate.errors?.at(-1)?.schemaPath.slice(0, 300) ?? '#')),
    };
  }
}

function withoutDraft(source: Record<string, unknown> | boolean): AnySchemaObject | boolean {
  if (typeof source !== 'object' || source === null || !('$schema' in source)) return source;
  const { $schema, ...schema } = source;
  if ($schema !== draft && $schema !== `${draft}#`) throw new Error(`its $schema is not "${draft}"`);
  return schema;
}

/** The draft's own schema costs some 50 ms to compile: once, and only where schemas are used. */
let ofDraft: Ajv2020 | undefined;

function checkAgainstDraft(schema: AnySchemaObject | boolean): void {
  ofDraft ??= new Ajv2020({ logger: false });
  if (ofDraft.validateSchema(schema)) return;
  const error = ofDraft.errors?.at(-1);
  throw new Error(`${error?.instancePath.slice(0, 200) || 'it'} ${error?.message ?? 'is no JSON Schema'}`);
}
