import type { ValidationRule } from '@keyferry/core';
import { type Judgement, parseRules } from '../src/index.ts';

type Given = Partial<ValidationRule>;

/** A rule for every path that refuses, with what is given instead. */
export const rule = (given: Given): ValidationRule => ({ paths: ['**'], severity: 'reject', ...given });

/** The judgement of one value by one rule. */
export function judged(given: Given, value: string | Buffer, path = 'team/key'): Judgement {
  return parseRules([rule(given)]).judge(path, Buffer.from(value), undefined);
}

export const codesOf = ({ problems }: Judgement): string[] => problems.map(({ code }) => code);

/** What the catalogue says of a value, without rules. */
export function unruled(value: string | Buffer, path = 'team/key', tag?: string): Judgement {
  return parseRules([]).judge(path, Buffer.from(value), tag);
}

export const thrownBy = (given: Given): unknown => {
  try {
    parseRules([rule({}), rule(given)]);
  } catch (error) {
    return error;
  }
  return null;
};

/** As fake as a key can be and still have its form. */
export const fake = {
  openai: `sk-proj-${'A'.repeat(120)}`,
  anthropic: `sk-ant-api03-${'A'.repeat(93)}AA`,
  google: `AIza${'A'.repeat(35)}`,
  openrouter: `sk-or-v1-${'0'.repeat(64)}`,
  bifrost: `sk-bf-${'0'.repeat(36)}`,
};
