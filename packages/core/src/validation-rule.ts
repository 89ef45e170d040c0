/** What a value, or one field of it, has to be. Checks that are not given are not made. */
export interface ValueChecks {
  /** A key type, or the name of a well-known format. */
  type?: string;
  /** RE2 syntax; has to match the whole text. */
  pattern?: string;
  /** In bytes of UTF-8. */
  min_length?: number;
  /** In bytes of UTF-8. */
  max_length?: number;
  /** JSON Schema, draft 2020-12, without references. */
  json_schema?: Record<string, unknown> | boolean;
}

/** One rule of validation_rules: ordered, and the first that has a glob for a local path judges its value alone. */
export interface ValidationRule extends ValueChecks {
  /** Globs of local paths. */
  paths: string[];
  /** Fields that a JSON object must have, and what each has to be. */
  fields?: Record<string, ValueChecks>;
  /** Whether a value that fails is refused, or carried with a warning. */
  severity: 'reject' | 'warn';
}

/** What is wrong with a value, in words that never show any part of it. */
export interface Problem {
  code: string;
  message: string;
}
