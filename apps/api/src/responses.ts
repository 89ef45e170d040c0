import { errorAnswer } from '@keyferry/contracts';
import type { ErrorCode } from '@keyferry/core';
import { statusOf } from './error-status.ts';

/** What any route under /v1 may answer. */
const everywhere: ErrorCode[] = [
  'request_invalid',
  'unauthorized',
  'forbidden',
  'rate_limited',
  'tenant_suspended',
  'tenant_not_found',
  'internal',
  'database_unavailable',
];

/** A route's answers: its successes, and the codes it refuses with, gathered by status for the OpenAPI document. */
export function responses<Success extends object>(success: Success, ...codes: ErrorCode[]): Success {
  const byStatus = Map.groupBy([...everywhere, ...codes], statusOf);
  const errors = [...byStatus].map(([status, those]) => [
    status,
    { description: those.join(', '), content: { 'application/json': { schema: errorAnswer } } },
  ]);
  return { ...Object.fromEntries(errors), ...success };
}
