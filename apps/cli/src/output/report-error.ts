import { KeyferryClientError } from '@keyferry/client';
import { describeError, KeyferryError } from '@keyferry/core';
import { ApiError } from '../api/api-error.ts';
import type { Io } from './output.ts';
import { printable } from './printable.ts';

interface Report {
  code: string;
  message: string;
  action: string;
  request_id?: string;
}

/** Says what went wrong: a sentence, its code and what to do; as JSON for machines. Never a stack trace. */
export function reportError(io: Io, json: boolean, error: unknown): void {
  const report = describe(error);
  if (json) {
    io.stderr.write(`${JSON.stringify({ error: report })}\n`);
    return;
  }
  const request = report.code === 'internal' && report.request_id ? ` (request ${report.request_id})` : '';
  io.stderr.write(`error: ${printable(report.message)} (${report.code})\n  ${printable(report.action)}${request}\n`);
}

function describe(error: unknown): Report {
  if (error instanceof ApiError) {
    const { code, message, requestId } = error;
    return { code, message, action: actionOf(code, error.action), ...(requestId && { request_id: requestId }) };
  }
  if (error instanceof KeyferryError || error instanceof KeyferryClientError) {
    const { code, message } = error;
    return { code, message, action: actionOf(code, error.action) };
  }
  const { code, message } = describeError(error);
  return { code, message, action: 'This is a fault of Keyferry. Report it with the command that you gave.' };
}

/** The catalogue speaks to whoever writes HTTP requests. */
function actionOf(code: string, action: string): string {
  return code === 'unauthorized' ? 'Set KEYFERRY_TOKEN to the token of that Keyferry.' : action;
}
