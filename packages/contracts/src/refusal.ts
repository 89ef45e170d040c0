import { type ErrorCode, KeyferryError } from '@keyferry/core';
import type { z } from 'zod';

/** A refinement out of one of core's parsers: what it throws becomes an issue that keeps the error's code. */
export function parsedBy<T>(parse: (value: T) => unknown) {
  return (value: T, context: z.RefinementCtx): void => {
    try {
      parse(value);
    } catch (error) {
      if (!(error instanceof KeyferryError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, params: { code: error.code } });
    }
  };
}

/**
 * The error for input that a schema refused: one sentence that names the first wrong field, all of them in `details`,
 * and never what was given in them. `code` is used where an issue doesn't bring a more precise one.
 */
export function refusalOf(issues: readonly z.core.$ZodIssue[], code: ErrorCode): KeyferryError {
  const problems = issues.map((issue) => ({ field: fieldName(issue.path), message: sentence(issue.message) }));
  const [first = { field: '', message: 'The input is invalid.' }] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new KeyferryError(
    (issues[0] && codeOf(issues[0])) ?? code,
    `${first.field ? `${first.field}: ` : ''}${first.message}${more}`,
    { details: { field: first.field, problems } },
  );
}

/** `path_mapping[0].from` */
function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, part) => {
    if (typeof part === 'number') return `${name}[${part}]`;
    return name ? `${name}.${String(part)}` : String(part);
  }, '');
}

function codeOf(issue: z.core.$ZodIssue): ErrorCode | undefined {
  if (issue.code === 'custom') return issue.params?.code as ErrorCode | undefined;
  // The only union told apart by `kind` at its top is the one over the kinds of vaults.
  return issue.code === 'invalid_union' && issue.path.join() === 'kind' ? 'backend_kind_unknown' : undefined;
}

const sentence = (message: string) => (/[.!?]$/.test(message) ? message : `${message}.`);
