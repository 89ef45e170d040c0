import { describePathProblem, KeyferryError, type PathPermission, pathProblem } from '@keyferry/core';
import { isId } from '@keyferry/store';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireOn } from '../authentication.ts';

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

/**
 * Throws `forbidden` where a permission is lacking on a path, before anything is looked up. What may be an id is looked up
 * first: a key that one lacks it on is answered there as one that isn't there.
 */
export function refuseUnlessId(request: FastifyRequest, permission: PathPermission, pathOrId: string): void {
  if (!isId(pathOrId)) requireOn(request, permission, pathOrId);
}
