import { type Glob, KeyferryError, type KeyType, type Problem, parseGlob, type ValidationRule } from '@keyferry/core';
import { Budget } from './budget.ts';
import { formatsByName, recognise } from './catalogue.ts';
import { type Check, type Compilers, compileChecks, keyTypeOfName, problem } from './checks.ts';
import { findingsOf } from './findings.ts';
import { SchemaCompiler } from './json-schema.ts';
import { typeOf } from './key-type.ts';
import { PatternCompiler } from './linear-pattern.ts';
import { fieldOf, type Reading, readValue } from './reading.ts';

export interface Judgement {
  /** By the rule, else the vault's tag, else a recognised format, else the look of the value. */
  type: KeyType;
  /** Name of the recognised format. */
  format: string | null;
  /** Whether a rule that rejects has found problems. */
  rejected: boolean;
  /** Those of the rule first, then the catalogue's, which are always warnings. */
  problems: Problem[];
  /** Index of the rule that judged. */
  rule: number | null;
}

export interface Judge {
  /** Judges one value at a local path. Throws for no value; its cost is bounded, and linear in the value's size. */
  judge(path: string, value: Buffer, tag: string | undefined): Judgement;
  /** Index of the rule that judges a path, or null. */
  ruleOf(path: string): number | null;
}

/** More fields than a secret has; each costs a check on every value. */
const mostFields = 100;

interface Rule {
  index: number;
  globs: Glob[];
  type: string | undefined;
  rejects: boolean;
  problemsOf(path: string, value: Reading): Problem[];
}

/**
 * Ordered rules; the first that has a glob for a path judges it. Throws `rule_invalid` or `glob_invalid`, naming the
 * rule by its place and member: `validation_rules[2].pattern`.
 */
export function parseRules(rules: readonly ValidationRule[]): Judge {
  const patterns = new PatternCompiler();
  const compilers = { patterns, schemas: new SchemaCompiler(patterns) };
  const parsed = rules.map((rule, index) => parseRule(rule, index, compilers));
  const find = (path: string) => parsed.find(({ globs }) => globs.some((glob) => glob.test(path)));
  return {
    ruleOf: (path) => find(path)?.index ?? null,
    judge: (path, value, tag) => judge(find(path), path, readValue(value), tag),
  };
}

function judge(rule: Rule | undefined, path: string, value: Reading, tag: string | undefined): Judgement {
  const recognised = value.form === null ? null : recognise(value.form);
  const ofRule = rule?.problemsOf(path, value) ?? [];
  return {
    type: (rule?.type !== undefined && keyTypeOfName(rule.type)) || typeOf(value, tag, recognised),
    format: recognised?.name ?? null,
    rejected: rule?.rejects === true && ofRule.length > 0,
    problems: [...ofRule, ...(isSilenced(rule) || value.form === null ? [] : findingsOf(path, value.form, recognised))],
    rule: rule?.index ?? null,
  };
}

/** A rule that says `opaque` takes anything, and one that names a format has said what belongs there. */
function isSilenced(rule: Rule | undefined): boolean {
  return rule?.type !== undefined && (rule.type === 'opaque' || formatsByName.has(rule.type));
}

function parseRule(rule: ValidationRule, index: number, compilers: Compilers): Rule {
  const place = `validation_rules[${index}]`;
  if (rule.paths.length === 0) throw new KeyferryError('rule_invalid', `${place}.paths names no path.`);
  const check = compileChecks(rule, place, compilers);
  const fields = parseFields(rule.fields ?? {}, place, compilers);
  return {
    index,
    globs: rule.paths.map((source, number) => globAt(source, `${place}.paths[${number}]`)),
    type: rule.type,
    rejects: rule.severity === 'reject',
    problemsOf: (path, value) => {
      const budget = new Budget();
      const what = `The value of "${path}"`;
      return [...check(value, what, budget), ...problemsOfFields(fields, place, value, what, budget)];
    },
  };
}

function parseFields(
  fields: NonNullable<ValidationRule['fields']>,
  place: string,
  compilers: Compilers,
): [name: string, check: Check][] {
  const entries = Object.entries(fields);
  if (entries.length > mostFields)
    throw new KeyferryError('rule_invalid', `${place}.fields has more than ${mostFields} fields.`);
  return entries.map(([name, checks]) => [name, compileChecks(checks, `${place}.fields.${name}`, compilers)]);
}

function problemsOfFields(
  checks: readonly [name: string, check: Check][],
  place: string,
  { fields }: Reading,
  what: string,
  budget: Budget,
): Problem[] {
  if (checks.length === 0) return [];
  if (fields === null) return [problem('value_not_json', `${what} is no JSON object`, `${place}.fields`)];
  return checks.flatMap(([name, check]) => {
    const field = fieldOf(fields, name);
    return field === null
      ? [problem('value_field_missing', `${what} lacks the field "${name}"`, `${place}.fields.${name}`)]
      : check(field, `${what}, field "${name}",`, budget);
  });
}

function globAt(source: string, place: string): Glob {
  try {
    return parseGlob(source);
  } catch (error) {
    if (error instanceof KeyferryError) throw new KeyferryError(error.code, `${place}: ${error.message}`);
    throw error;
  }
}
