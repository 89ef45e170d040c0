import { randomUUID } from 'node:crypto';
import { quote } from './json.ts';

export type Flavour = 'vault' | 'openbao';

/** What a handler decided; parts that hold JSON are texts ready to be sent. */
export interface Answer {
  status: number;
  /** Makes the body `{"errors":[...]}` instead of the envelope. */
  errors?: readonly string[];
  data?: string;
  auth?: string;
  wrapInfo?: string;
  warnings?: readonly string[];
  leaseDuration?: number;
  mountType?: string;
  /** The whole body, for endpoints that answer without the envelope. */
  raw?: string;
  /** Some system endpoints repeat their data at the top level. */
  spread?: boolean;
  headers?: Record<string, string>;
}

export function failure(status: number, ...errors: string[]): Answer {
  return { status, errors };
}

/** How the server prints errors that it collected: a policy's refusal, or a path that no backend serves. */
function collected(status: number, ...errors: string[]): Answer {
  const count = `${errors.length} error${errors.length === 1 ? '' : 's'} occurred:`;
  return failure(status, `${count}\n${errors.map((error) => `\t* ${error}\n`).join('')}\n`);
}

export const permissionDenied = collected(403, 'permission denied');
export const unsupportedOperation = collected(405, 'unsupported operation');
export const unsupportedPath = collected(404, 'unsupported path');
/** Nothing there: the body says no more than that. */
export const notFound = failure(404);
export const noContent: Answer = { status: 204 };

export function noRoute(path: string): Answer {
  return failure(404, `no handler for route ${quote(path)}. route entry not found.`);
}

/** The body of an answer; empty for 204. */
export function render(answer: Answer, flavour: Flavour): string {
  if (answer.raw !== undefined) return answer.raw;
  if (answer.errors !== undefined) return `{"errors":[${answer.errors.map(quote).join(',')}]}\n`;
  if (answer.status === 204) return '';
  const { data = 'null', auth = 'null', wrapInfo = 'null', leaseDuration = 0, mountType = '' } = answer;
  const warnings = answer.warnings === undefined ? 'null' : `[${answer.warnings.map(quote).join(',')}]`;
  // A response that is wrapped hides which request made it.
  const requestId = answer.wrapInfo === undefined ? randomUUID() : '';
  const tail = flavour === 'vault' ? `,"mount_type":"${mountType}"}\n` : '}\n';
  const spread = answer.spread && data.length > 2 ? `${data.slice(1, -1)},` : '';
  return `{${spread}"request_id":"${requestId}","lease_id":"","renewable":false,"lease_duration":${leaseDuration},"data":${data},"wrap_info":${wrapInfo},"warnings":${warnings},"auth":${auth}${tail}`;
}
