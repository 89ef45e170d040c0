import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestFacts } from '../http/faults.ts';
import type { Reply } from '../http/send.ts';
import type { Service } from '../http/server.ts';
import { serveKms } from './kms.ts';
import { reply, serveSecretsManager } from './secrets-manager.ts';
import type { SignedRequest } from './signature.ts';
import type { AwsState } from './state.ts';
import { serveTokens } from './token-service.ts';

/**
 * Secrets Manager, the key management service, the security token service and the metadata services at one address; the header X-Amz-Target, the
 * form of the body and the path tell them apart. `sockets` holds those of clients that have asked something. Faults know a request by its headers: what its body says (the secret,
 * the token service's action) is in the log alone.
 */
export function awsService(state: AwsState, sockets: Set<Socket>): Service {
  const stamp = (answer: Reply): Reply => ({
    ...answer,
    // The clock by which signatures are judged: clients correct their own by it.
    headers: { ...answer.headers, date: new Date(state.now()).toUTCString() },
  });
  return {
    receive(message) {
      const { socket } = message;
      if (!sockets.has(socket)) socket.once('close', () => sockets.delete(socket));
      sockets.add(socket);
      const [path = '/', query = ''] = splitUrl(message.url ?? '/');
      const facts: RequestFacts = {
        method: message.method ?? '',
        path,
        operation: operationOf(message),
        namespace: '',
      };
      return {
        facts,
        answer: (body) =>
          stamp(answer(state, facts, { method: facts.method, path, query, headers: message.headers, body })),
      };
    },
    tooLarge: () => stamp(reply(413, { __type: 'RequestEntityTooLargeException', message: 'Request is too large' })),
  };
}

const target = /^(?:secretsmanager|TrentService)\.(\w+)$/;

/** `STS` stands for whatever is asked of the security token service. */
function operationOf({ method, headers }: IncomingMessage): string | null {
  const header = headers['x-amz-target'];
  if (typeof header === 'string') return target.exec(header)?.[1] ?? null;
  return method === 'POST' && headers['content-type']?.startsWith('application/x-www-form-urlencoded') ? 'STS' : null;
}

function answer(state: AwsState, facts: RequestFacts, request: SignedRequest): Reply {
  try {
    if (facts.operation === 'STS') {
      const parameters = new URLSearchParams(request.body.toString());
      facts.operation = parameters.get('Action') ?? 'STS';
      return serveTokens(state, facts.operation, parameters, request);
    }
    if (facts.operation !== null && request.method === 'POST' && request.path === '/') {
      if (String(request.headers['x-amz-target']).startsWith('TrentService.'))
        return serveKms(state, facts.operation, request);
      facts.path = nameIn(request.body) ?? facts.path;
      return serveSecretsManager(state, facts.operation, request);
    }
    const metadata = state.metadata.answer(request.method, request.path, request.headers);
    return metadata ?? reply(404, { __type: 'UnknownOperationException' });
  } catch (error) {
    return reply(500, { __type: 'InternalServiceError', Message: `a fault of the emulator: ${error}` });
  }
}

/** The secret that a request is about, where it is about one. */
function nameIn(body: Buffer): string | null {
  try {
    const { SecretId, Name } = JSON.parse(body.toString());
    const name = SecretId ?? Name;
    return typeof name === 'string' ? name : null;
  } catch {
    return null;
  }
}

function splitUrl(url: string): [string, string] {
  const mark = url.indexOf('?');
  return mark === -1 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
}
