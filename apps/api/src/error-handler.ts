import type { ErrorAnswer } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { asStoreError } from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, type RequestAudit } from './audited-requests.ts';
import { statusOf } from './error-status.ts';
import { bodyLimit } from './limits.ts';

/** One shape for everything that goes wrong. What nobody made for a person's eyes is logged and kept to ourselves. */
export function errorHandler(log: Log, told: RequestAudit, unauthorized: (request: FastifyRequest) => void) {
  return async (thrown: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { error, status } = answerTo(thrown, log, request);
    if (isRefusal(error)) await told.refused(request, error);
    // Also where Fastify refuses before any hook has run.
    reply.header('x-request-id', request.id);
    if (status === 401) {
      unauthorized(request);
      reply.header('www-authenticate', 'Bearer');
    }
    if (status === 429 && error.retryAfterMs !== undefined)
      reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
    return reply
      .code(status)
      .type('application/json')
      .send(JSON.stringify(errorBody(error, request.id)));
  };
}

/** What is told of anything thrown. What is our own fault, or that of what is below, is logged. */
export function answerTo(thrown: unknown, log: Log, request: FastifyRequest): { error: KeyferryError; status: number } {
  const answer = asAnswerable(thrown, request);
  const fields = { request_id: request.id, route: request.routeOptions.url, code: answer.error.code };
  if (answer.status >= 500) log.error({ ...fields, error: thrown as Error }, 'a request failed');
  return answer;
}

export function errorBody(error: KeyferryError, requestId: string): ErrorAnswer {
  const { code, message, action, details } = error;
  return { error: { code, message, action, ...(details && { details }), request_id: requestId } };
}

function asAnswerable(thrown: unknown, { routeOptions }: FastifyRequest): { error: KeyferryError; status: number } {
  const error = asStoreError(thrown);
  if (error instanceof KeyferryError) return { error, status: statusOf(error.code) };
  const status = clientErrorStatus(error);
  if (status !== null)
    return {
      error: new KeyferryError('request_invalid', wordsFor(status, routeOptions.bodyLimit ?? bodyLimit)),
      status,
    };
  return { error: new KeyferryError('internal', 'The request could not be carried out.'), status: 500 };
}

/** What Fastify refuses before a route sees it carries the status; its words may quote the request. */
function clientErrorStatus(error: unknown): number | null {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') return null;
  return error.statusCode >= 400 && error.statusCode < 500 ? error.statusCode : null;
}

function wordsFor(status: number, mostBytes: number): string {
  if (status === 413) return `The body is larger than ${mostBytes / 1024} KiB.`;
  if (status === 414) return 'The address of the request is too long.';
  if (status === 415) return 'The body has to be JSON, with the content type application/json.';
  return 'The request can’t be read: its body is not valid JSON, or its address is not validly encoded.';
}
