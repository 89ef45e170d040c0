import { parseRules } from '@keyferry/validation';
import { z } from 'zod';
import { parsedBy } from './refusal.ts';

const mostRules = 200;
const mostGlobs = 200;
/** All of them are tried on each key that is read, one after another. */
const mostGlobsTogether = 500;
const mostFields = 100;

const bytes = z.int().nonnegative();

const valueChecks = {
  type: z
    .string()
    .max(64)
    .describe(
      'What the value has to be, and the type of its key: a type of key, or the name of a well-known format such as openai_api_key. `opaque` takes anything, and ends all warnings of the catalogue.',
    )
    .exactOptional(),
  pattern: z
    .string()
    .max(1000)
    .describe('Has to match the whole text. RE2 syntax: no lookaround, no backreferences; `.` is no newline.')
    .exactOptional(),
  min_length: bytes.describe('In bytes of UTF-8.').exactOptional(),
  max_length: bytes.describe('In bytes of UTF-8.').exactOptional(),
  json_schema: z
    .union([z.record(z.string(), z.unknown()), z.boolean()])
    .describe(
      'JSON Schema (draft 2020-12) of the value as JSON, of at most 64 KiB; without `$ref`, `$defs`, `format`, `contains` and `uniqueItems`. Patterns in it are RE2.',
    )
    .exactOptional(),
};

const validationRule = z.strictObject({
  paths: z.array(z.string()).min(1, 'must name at least one path').max(mostGlobs).describe('Globs of local paths.'),
  ...valueChecks,
  fields: z
    .record(z.string().min(1).max(256), z.strictObject(valueChecks))
    .refine((fields) => Object.keys(fields).length <= mostFields, `must have at most ${mostFields} fields`)
    .describe('Fields that the value, a JSON object, must have, and what each has to be; `{}` for anything.')
    .exactOptional(),
  severity: z
    .enum(['reject', 'warn'])
    .default('reject')
    .describe('Whether a value that fails is refused, its former version staying, or carried with a warning.'),
});

export const validationRules = z
  .array(validationRule)
  .max(mostRules)
  .refine(
    (rules) => rules.reduce((sum, { paths }) => sum + paths.length, 0) <= mostGlobsTogether,
    `must have at most ${mostGlobsTogether} globs together`,
  )
  .superRefine(parsedBy(parseRules))
  .describe(
    'Ordered rules for values; the first with a glob for a local path judges. Of a secret with the single field `value`, that field is judged; json_schema and fields judge the JSON as stored.',
  );
