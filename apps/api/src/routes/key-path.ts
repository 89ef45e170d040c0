import { describePathProblem, KeyferryError, pathProblem } from '@keyferry/core';
import { z } from 'zod';

/** The part of an address that names a key: the last, with as many slashes as it likes. */
export const byPathOrId = z.object({ '*': z.string().describe('The local path, percent-encoded, or the key’s id.') });

/** The same where an id names nothing. */
export const byPath = z.object({ '*': z.string().describe('The local path, percent-encoded.') });

/** Throws `request_invalid` for what can't be a key's path. */
export const pathOf = (params: z.output<typeof byPath>): string => checkedPath(params['*']);

export function checkedPath(text: string): string {
  const path = text.normalize('NFC');
  const problem = pathProblem(path);
  if (problem)
    throw new KeyferryError('request_invalid', `The path can’t be a key’s: ${describePathProblem(problem)}.`);
  return path;
}
