import type { Problem } from '@keyferry/core';
import { beginsAs, recognise } from './catalogue.ts';
import type { Format } from './formats/format.ts';
import { expectedProvider } from './providers.ts';

/** What the catalogue has to say about a text, without any rule: warnings, and at most one. */
export function findingsOf(path: string, text: string, recognised: Format | null): Problem[] {
  const trimmed = text.trim();
  if (trimmed === '') return [{ code: 'value_empty', message: `The value of "${path}" is empty.` }];
  if (isPlaceholder(trimmed))
    return [{ code: 'placeholder', message: `The value of "${path}" is a placeholder, not a key.` }];
  if (recognised) return foreign(path, recognised);
  const within = trimmed === text ? null : recognise(trimmed);
  if (within)
    return [
      {
        code: 'whitespace_around',
        message: `The value of "${path}" is ${within.label} with white space before or after it.`,
      },
    ];
  return malformed(path, trimmed);
}

function foreign(path: string, format: Format): Problem[] {
  // A gateway's key stands wherever that of a provider would.
  if (format.provider === null || format.type === 'virtual_key') return [];
  const expected = expectedProvider(path, format.provider);
  if (!expected) return [];
  return [
    {
      code: 'format_unexpected',
      message: `The path "${path}" speaks of ${expected}, but its value is ${format.label}.`,
    },
  ];
}

const quoted = /^(["'`])([\s\S]*)\1$/;

function malformed(path: string, text: string): Problem[] {
  const unquoted = text.length < 16_384 ? (quoted.exec(text)?.[2]?.trim() ?? null) : null;
  const format = beginsAs(unquoted ?? text);
  if (!format) return [];
  const how =
    unquoted === null
      ? `begins as ${format.label} does but is none as a whole: something is missing, added or mistyped`
      : `is in quotation marks, which are no part of ${format.label}`;
  return [{ code: 'format_malformed', message: `The value of "${path}" ${how}.` }];
}

/** Whole texts in lower case that stand for a key which nobody has put in yet. */
const placeholder = new RegExp(
  `^(?:${[
    'change[-_ ]?(?:me|this|it)',
    'replace[-_ ]?(?:me|this|it)',
    'to[-_ ]?do|tbd|fixme|placeholder|dummy|n/a|none|null|undefined',
    '(?:[a-z]{1,8}[-_])?(?:(?:insert|enter|put|add)[-_ ])?your[-_ ].*(?:key|token|secret|password|here)',
    '<[^<>]*>|\\$\\{[^{}]*\\}|\\{\\{[^{}]*\\}\\}|%[a-z_]+%',
    '(?:[a-z]{1,8}[-_])*x{3,}',
    '\\*{3,}|\\.{3}|…',
  ].join('|')})$`,
);

const isPlaceholder = (text: string) => text.length <= 80 && placeholder.test(text.toLowerCase());
