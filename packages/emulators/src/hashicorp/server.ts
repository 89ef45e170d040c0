import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestFacts } from '../http/faults.ts';
import type { Quota } from '../http/quota.ts';
import type { Reply } from '../http/send.ts';
import type { Service } from '../http/server.ts';
import { type Answer, failure, render } from './answer.ts';
import { isObject, type JsonObject, parseJson } from './json.ts';
import { readRequest, type VaultRequest } from './request.ts';
import { route } from './router.ts';
import type { VaultState } from './state.ts';

/** The protocol of HashiCorp Vault and OpenBao over one state. Sockets that are open and were asked over are kept. */
export function vaultService(state: VaultState, quota: Quota, sockets: Set<Socket>): Service {
  const replyTo = (answer: Answer): Reply => {
    const body = render(answer, state.flavour);
    const type = body === '' ? {} : { 'content-type': 'application/json' };
    return { status: answer.status, body, headers: { 'cache-control': 'no-store', ...type, ...answer.headers } };
  };
  return {
    receive(message) {
      const { socket } = message;
      if (!sockets.has(socket)) socket.once('close', () => sockets.delete(socket));
      sockets.add(socket);
      const request = readRequest(message, state.flavour === 'openbao');
      if (!('operation' in request)) {
        const facts = { method: message.method ?? '', path: message.url ?? '', operation: null, namespace: '' };
        return { facts, answer: () => replyTo(request) };
      }
      const { method, path, operation, namespace } = request;
      return {
        facts: { method, path, operation, namespace },
        answer: (body) => replyTo(readBody(message, request, body) ?? route(state, quota, request)),
      };
    },
    kindOf,
    tooLarge: () => replyTo(failure(413, 'error reading data: http: request body too large')),
  };
}

/** Puts the body into the request, where it has one; answers what is wrong with it. */
function readBody(message: IncomingMessage, request: VaultRequest, bytes: Buffer): Answer | null {
  if (request.operation !== 'update' && request.operation !== 'patch') return null;
  if (request.operation === 'patch' && !/^application\/merge-patch\+json/.test(message.headers['content-type'] ?? ''))
    return failure(415, 'PATCH requires Content-Type of application/merge-patch+json');
  const body = parseBody(bytes.toString());
  if (body === null) return failure(400, 'failed to parse JSON input: invalid character in the request body');
  request.body = body;
  return null;
}

function parseBody(text: string): JsonObject | null {
  if (text.trim() === '') return {};
  try {
    const body = parseJson(text);
    if (body === null) return {};
    return isObject(body) ? body : null;
  } catch {
    return null;
  }
}

/** login, token, system, data, metadata, list, scan, other. */
function kindOf({ path, operation }: RequestFacts): string {
  if (path.startsWith('auth/token/')) return 'token';
  if (path.endsWith('/login')) return 'login';
  if (path.startsWith('sys/')) return 'system';
  if (operation === 'list' || operation === 'scan') return operation;
  if (path.includes('/metadata/')) return 'metadata';
  return path.includes('/data/') ? 'data' : 'other';
}
