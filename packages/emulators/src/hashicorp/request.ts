import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { type Answer, failure } from './answer.ts';
import type { JsonObject } from './json.ts';

type Operation = 'read' | 'list' | 'scan' | 'create' | 'update' | 'patch' | 'delete';

export interface VaultRequest {
  method: string;
  operation: Operation;
  /** Below `/v1/`, percent-decoded; a listing's ends in a slash. Includes namespaces that were written in the path. */
  path: string;
  query: URLSearchParams;
  /** X-Vault-Token or a bearer token. */
  token: string;
  /** X-Vault-Namespace. */
  namespace: string;
  /** X-Vault-Wrap-TTL. */
  wrapTtl: string | null;
  body: JsonObject;
  /** Whether it came over TLS. */
  encrypted: boolean;
  /** What the client has shown of itself there. */
  peerCertificate(): X509Certificate | undefined;
}

const operations: Record<string, Operation> = {
  GET: 'read',
  POST: 'update',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Reads everything but the body. Answers at once what the real server's HTTP layer refuses or redirects. */
export function readRequest(message: IncomingMessage, openbao: boolean): VaultRequest | Answer {
  const url = message.url ?? '/';
  const mark = url.indexOf('?');
  const rawPath = mark === -1 ? url : url.slice(0, mark);
  const rawQuery = mark === -1 ? '' : url.slice(mark + 1);
  const clean = cleanPath(rawPath);
  if (clean !== rawPath) {
    // Go's router answers a path with `.`, `..` or empty segments by a redirect to the path without them.
    return { status: 301, raw: '', headers: { location: rawQuery === '' ? clean : `${clean}?${rawQuery}` } };
  }
  if (!rawPath.startsWith('/v1/')) return failure(404);
  let path = decode(rawPath.slice('/v1/'.length));
  if (path === null) return { status: 400, raw: '400 Bad Request' };
  if (unprintable.test(path)) return { status: 400, raw: '' };
  if (path.split('/').some((segment) => segment === '..' || segment === '.'))
    return failure(400, 'relative paths not supported');

  let operation = operations[message.method ?? ''];
  if (operation === undefined) return failure(405);
  const query = new URLSearchParams(rawQuery);
  if (operation === 'read' && rawQuery !== '') {
    const list = readFlag(query.get('list'));
    const scan = openbao ? readFlag(query.get('scan')) : false;
    if (list === null || scan === null || (list && scan)) return failure(400);
    if (list) operation = 'list';
    if (scan) operation = 'scan';
    if ((list || scan) && !path.endsWith('/')) path += '/';
  }
  const authorization = header(message, 'authorization');
  return {
    method: message.method ?? '',
    operation,
    path,
    query,
    token: header(message, 'x-vault-token') || (/^Bearer (.+)$/i.exec(authorization)?.[1] ?? ''),
    namespace: header(message, 'x-vault-namespace'),
    wrapTtl: header(message, 'x-vault-wrap-ttl') || null,
    body: {},
    encrypted: message.socket instanceof TLSSocket,
    peerCertificate: () => (message.socket instanceof TLSSocket ? message.socket.getPeerX509Certificate() : undefined),
  };
}

/** What Go's unicode package does not call printable; the server refuses it in any path. */
const unprintable = /\p{C}|(?! )\p{Z}/u;

function header(message: IncomingMessage, name: string): string {
  const value = message.headers[name];
  return typeof value === 'string' ? value : '';
}

const dirty = /\/\/|\/\.{1,2}(?:\/|$)/;

function cleanPath(path: string): string {
  if (!dirty.test(path)) return path;
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const trailing = /\/\.{0,2}$/.test(path) && kept.length > 0 ? '/' : '';
  return `/${kept.join('/')}${trailing}`;
}

function decode(path: string): string | null {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

/** As Go reads a boolean; null for what it refuses. */
function readFlag(text: string | null): boolean | null {
  if (text === null || text === '') return false;
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  return /^(0|f|F|false|FALSE|False)$/.test(text) ? false : null;
}
