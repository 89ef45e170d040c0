import { describeError, KeyferryError } from '@keyferry/core';
import { ApiError } from '../api/api-error.ts';

/** What one look showed. */
export interface Finding {
  name: string;
  result: 'ok' | 'warning' | 'failed' | 'skipped';
  message: string;
  code?: string;
  /** What to do, where something is wrong. */
  action?: string;
}

/** Looks, and makes a finding of whatever is thrown. */
export async function look(name: string, work: () => Promise<Finding | Finding[]>): Promise<Finding[]> {
  try {
    return [await work()].flat();
  } catch (error) {
    const { code, message } = error instanceof ApiError ? error : describeError(error);
    const action = error instanceof ApiError || error instanceof KeyferryError ? { action: error.action } : {};
    return [{ name, result: 'failed', message, code, ...action }];
  }
}
