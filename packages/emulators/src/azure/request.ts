import type { IncomingMessage } from 'node:http';

/** A request as it was addressed, before anything of it is judged. */
export interface AzureRequest {
  method: string;
  /** Percent-decoded; a slash at the end is no segment. Null where the encoding is broken. */
  segments: readonly string[] | null;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Scheme, host and port as the client named them. */
  base: string;
}

export function readRequest(message: IncomingMessage): AzureRequest {
  const url = message.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const scheme = 'encrypted' in message.socket ? 'https' : 'http';
  return {
    method: message.method ?? '',
    segments: decodeSegments(path),
    query: new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1)),
    headers: message.headers,
    base: `${scheme}://${message.headers.host ?? 'localhost'}`,
  };
}

function decodeSegments(path: string): string[] | null {
  const segments = path.replace(/^\/+|\/+$/g, '').split('/');
  try {
    return segments.map(decodeURIComponent);
  } catch {
    return null;
  }
}

/** A bearer token, or null where none is sent. */
export function bearerOf({ headers }: AzureRequest): string | null {
  return /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}
