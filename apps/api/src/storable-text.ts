import { KeyferryError } from '@keyferry/core';
import type { FastifyRequest } from 'fastify';

/** Refuses texts that Postgres can't hold, a NUL or half a surrogate pair, wherever in a request they are. */
export async function refuseUnstorableText({ params, query, body }: FastifyRequest): Promise<void> {
  assertStorable([params, query, body]);
}

/** Throws `request_invalid` if a text anywhere in the value can't be stored. */
export function assertStorable(input: unknown): void {
  // No recursion: a body may be nested as deep as it is long.
  const waiting = [input];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string') {
      if (value.includes('\0') || !value.isWellFormed())
        throw new KeyferryError('request_invalid', 'The request has a text with a NUL or with invalid Unicode.');
    } else if (Array.isArray(value)) {
      for (const item of value) waiting.push(item);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) waiting.push(name, member);
    }
  }
}
