import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Reply } from '../http/send.ts';
import type { Exchange, Service } from '../http/server.ts';
import { invalid, json, oauthError, Refusal, refused } from './answer.ts';
import { exchangeToken, impersonate } from './federation.ts';
import { serveMetadata } from './metadata.ts';
import { grantToken } from './oauth.ts';
import type { Quotas } from './quotas.ts';
import { routeOf } from './route.ts';
import { serveSecretManager } from './secret-manager.ts';
import type { GcpState } from './state.ts';

const impersonation = /^\/v1\/projects\/-\/serviceAccounts\/(?<email>[^/:]+):generateAccessToken$/;

/** Secret Manager, and what gives out tokens for it: OAuth, the token exchange, IAM credentials and the metadata server. */
export function gcpService(
  state: GcpState,
  quotas: Quotas,
  address: { url: string },
  heard: (socket: Socket) => void,
): Service {
  return {
    receive(message) {
      heard(message.socket);
      const { method: verb = '', url = '/' } = message;
      const mark = url.indexOf('?');
      const path = mark === -1 ? url : url.slice(0, mark);
      const query = mark === -1 ? '' : url.slice(mark + 1);
      const { authorization = '' } = message.headers;
      const exchange = (operation: string | null, about: string, answer: (body: Buffer) => Reply): Exchange => ({
        facts: { method: verb, path: about, operation, namespace: '' },
        answer: (body) => guarded(() => answer(body)),
      });

      const route = routeOf(verb, path);
      if (route !== null)
        return exchange(route.method, route.resource.secret ?? path, (body) =>
          json(200, serveSecretManager(state, quotas, { ...route, query, authorization, body })),
        );
      const email = verb === 'POST' ? impersonation.exec(path)?.groups?.email : undefined;
      if (email !== undefined)
        return exchange('GenerateAccessToken', path, (body) =>
          impersonate(state, decodeURIComponent(email), authorization, body),
        );
      if (verb === 'POST' && path === '/token')
        return exchange('Token', path, (body) =>
          withForm(message, body, (form) => grantToken(state, form, `${address.url}/token`)),
        );
      if (verb === 'POST' && path === '/v1/token')
        return exchange('ExchangeToken', path, (body) => withForm(message, body, (form) => exchangeToken(state, form)));
      if (verb === 'GET' && path.startsWith('/computeMetadata/'))
        return exchange('Metadata', path, () => serveMetadata(state, path, message.headers));
      return exchange(null, path, notFound);
    },
    tooLarge: () => refused(invalid('Request payload size exceeds the limit.')),
  };
}

function guarded(answer: () => Reply): Reply {
  try {
    return answer();
  } catch (error) {
    if (error instanceof Refusal) return refused(error);
    throw error;
  }
}

function withForm(message: IncomingMessage, body: Buffer, answer: (form: URLSearchParams) => Reply): Reply {
  const form = (message.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
  if (!form) return oauthError(400, 'invalid_request', 'Required parameter is missing: grant_type');
  return answer(new URLSearchParams(body.toString()));
}

/** What Google's front end says to a path that no API has. */
function notFound(): Reply {
  const body = '<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n';
  return { status: 404, body, headers: { 'content-type': 'text/html; charset=UTF-8' } };
}
