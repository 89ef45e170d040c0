import type { ValidationRule } from '@keyferry/core';
import { type Judge, parseRules } from './judge.ts';

/** Patterns and schemas take far longer to parse than to apply: each set of rules is parsed once, not for every job. */
const parsed = new Map<string, Judge>();

/** So many sets of rules are kept; the one that was used least lately goes first. */
const mostKept = 100;

export function judgeBy(rules: readonly ValidationRule[]): Judge {
  const text = JSON.stringify(rules);
  const judge = parsed.get(text) ?? parseRules(rules);
  parsed.delete(text);
  parsed.set(text, judge);
  const [oldest] = parsed.keys();
  if (parsed.size > mostKept && oldest !== undefined) parsed.delete(oldest);
  return judge;
}
