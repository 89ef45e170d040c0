import { KeyferryClientError } from '@keyferry/client';
import { KeyferryError } from '@keyferry/core';
import { ApiError } from './api/api-error.ts';

/** How the command ends. They are part of the interface: scripts decide by them. */
export const exitCodes = {
  ok: 0,
  /** It failed, or found something wrong: a failed cycle, a vault that doesn't answer, a doctor's finding. */
  failed: 1,
  /** The command, an option, or a setting was wrong; nothing was done. */
  usage: 2,
  /** Keyferry, or what its API needs, can't be reached. */
  unreachable: 3,
  /** No token, or not the right one. */
  refused: 4,
  /** Ended by a signal before there was anything to answer. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const exitCodesHelp = `Exit codes:
    0  done; also a cycle that completed with issues
    1  it failed, or found something wrong
    2  wrong usage or settings; nothing was done
    3  Keyferry, or what its API needs, can't be reached
    4  no token, or not the right one
  130  interrupted`;

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof ApiError) {
    if (error.status === 400) return exitCodes.usage;
    if (error.status === 401 || error.status === 403) return exitCodes.refused;
    return error.status === 503 ? exitCodes.unreachable : exitCodes.failed;
  }
  if (!(error instanceof KeyferryError || error instanceof KeyferryClientError)) return exitCodes.failed;
  if (usageCodes.has(error.code)) return exitCodes.usage;
  if (error.code === 'api_unavailable') return exitCodes.unreachable;
  return error.code === 'unauthorized' || error.code === 'forbidden' ? exitCodes.refused : exitCodes.failed;
}

/** `options_invalid`: what the client was given is from KEYFERRY_URL and KEYFERRY_TOKEN. */
const usageCodes = new Set(['usage_invalid', 'reference_invalid', 'options_invalid']);
