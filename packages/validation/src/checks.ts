import { KeyferryError, type KeyType, keyTypes, type Problem, type ValueChecks } from '@keyferry/core';
import type { Budget } from './budget.ts';
import { formats, formatsByName, isOfFormat } from './catalogue.ts';
import type { SchemaCompiler } from './json-schema.ts';
import { isKeyType, isOfType } from './key-type.ts';
import type { PatternCompiler } from './linear-pattern.ts';
import type { Subject } from './reading.ts';

/** Problems of one subject; `what` names it in messages, such as `The value of "team/openai"`. */
export type Check = (subject: Subject, what: string, budget: Budget) => Problem[];

export interface Compilers {
  patterns: PatternCompiler;
  schemas: SchemaCompiler;
}

/** One function out of checks; `place` names them, such as `validation_rules[2]`. A bad one is `rule_invalid`. */
export function compileChecks(checks: ValueChecks, place: string, compilers: Compilers): Check {
  const compiled = [
    ...(checks.type === undefined ? [] : [typeCheck(checks.type, `${place}.type`)]),
    ...lengthChecks(checks, place),
    ...(checks.pattern === undefined ? [] : [patternCheck(checks.pattern, `${place}.pattern`, compilers)]),
    ...(checks.json_schema === undefined ? [] : [schemaCheck(checks.json_schema, `${place}.json_schema`, compilers)]),
  ];
  return (subject, what, budget) => compiled.flatMap((check) => check(subject, what, budget));
}

/** The key type that a rule's `type` stands for: itself, or that of the format it names. */
export function keyTypeOfName(type: string): KeyType | null {
  return isKeyType(type) ? type : (formatsByName.get(type)?.type ?? null);
}

function typeCheck(type: string, place: string): Check {
  if (type === 'opaque') return () => [];
  const format = formatsByName.get(type);
  if (!format && !isKeyType(type)) {
    const known = [...keyTypes, ...formats.map(({ name }) => name)].join(', ');
    throw new KeyferryError('rule_invalid', `${place} is no type of key: "${type.slice(0, 50)}". It may be: ${known}.`);
  }
  const matches = (text: string) => (format ? isOfFormat(text, format) : isKeyType(type) && isOfType(text, type));
  return ({ text }, what) =>
    text !== null && matches(text) ? [] : [problem('value_type', `${what} is not of the type ${type}`, place)];
}

function lengthChecks({ min_length: least, max_length: most }: ValueChecks, place: string): Check[] {
  for (const [name, length] of Object.entries({ min_length: least, max_length: most }))
    if (length !== undefined && (!Number.isSafeInteger(length) || length < 0))
      throw new KeyferryError('rule_invalid', `${place}.${name} has to be a whole number of bytes, 0 or more.`);
  if (least !== undefined && most !== undefined && least > most)
    throw new KeyferryError('rule_invalid', `${place}.min_length is more than its max_length.`);
  const tooShort: Check = ({ bytes }, what) =>
    least !== undefined && bytes < least
      ? [problem('value_too_short', `${what} has fewer than ${least} bytes`, `${place}.min_length`)]
      : [];
  const tooLong: Check = ({ bytes }, what) =>
    most !== undefined && bytes > most
      ? [problem('value_too_long', `${what} has more than ${most} bytes`, `${place}.max_length`)]
      : [];
  return [...(least === undefined ? [] : [tooShort]), ...(most === undefined ? [] : [tooLong])];
}

function patternCheck(source: string, place: string, { patterns }: Compilers): Check {
  const pattern = compiled(place, () => patterns.whole(source));
  return ({ text }, what, budget) => {
    if (text === null) return [problem('value_type', `${what} is no text`, place)];
    if (!budget.spend(pattern.instructions * text.length))
      return [problem('value_pattern', `${what} is too large to be matched with the pattern`, place)];
    return pattern.test(text) ? [] : [problem('value_pattern', `${what} does not match the pattern`, place)];
  };
}

function schemaCheck(source: Record<string, unknown> | boolean, place: string, { schemas }: Compilers): Check {
  const schema = compiled(place, () => schemas.compile(source));
  return (subject, what, budget) => {
    const value = subject.json();
    if (value === undefined) return [problem('value_not_json', `${what} is no JSON`, place)];
    if (!budget.spend(schema.weight * subject.bytes))
      return [problem('value_schema', `${what} is too large to be checked with the schema`, place)];
    const failure = schema.failure(value);
    return failure === null ? [] : [problem('value_schema', `${what} does not fit the schema at ${failure}`, place)];
  };
}

export function problem(code: string, what: string, place: string): Problem {
  return { code, message: `${what} (${place}).` };
}

/** What a compiler throws becomes an error that names the place. */
function compiled<T>(place: string, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    const words = error instanceof RangeError ? 'it is too large' : error instanceof Error ? error.message : 'unknown';
    throw new KeyferryError('rule_invalid', `${place} can't be used: ${words}.`);
  }
}
