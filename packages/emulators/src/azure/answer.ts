import { randomUUID } from 'node:crypto';
import type { Reply } from '../http/send.ts';

/** A failure in the words of the vault. */
export function failure(status: number, code: string, message: string, innerCode?: string): Reply {
  const innererror = innerCode === undefined ? {} : { innererror: { code: innerCode } };
  return json(status, { error: { code, message, ...innererror } });
}

export function badParameter(message: string): Reply {
  return failure(400, 'BadParameter', message);
}

export function notFound(name: string): Reply {
  const hint = 'If you recently deleted this secret you may be able to recover it using the correct recovery command.';
  return failure(404, 'SecretNotFound', `A secret with (name/id) ${name} was not found in this key vault. ${hint}`);
}

export function conflict(message: string, innerCode: string): Reply {
  return failure(409, 'Conflict', message, innerCode);
}

export function json(status: number, body: object): Reply {
  return { status, body: JSON.stringify(body), headers: { 'content-type': 'application/json; charset=utf-8' } };
}

/** What every answer of the vault carries beside its own. `now` is its clock, which the Date tells in whole seconds. */
export function withVaultHeaders(reply: Reply, now: number): Reply {
  const headers = {
    'cache-control': 'no-cache',
    date: new Date(now).toUTCString(),
    'x-ms-keyvault-service-version': '1.9.2500.1',
    'x-ms-request-id': randomUUID(),
  };
  return { ...reply, headers: { ...headers, ...reply.headers } };
}
