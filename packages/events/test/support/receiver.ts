import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}

type Answer = number | ((response: ServerResponse, socket: Socket) => void);

export interface Receiver {
  url: string;
  received: Received[];
  /** How the next requests are answered, one after the other; with 204 once there are none left. */
  answers: Answer[];
  /** The ids that messages came under, in their order. */
  ids(): (string | undefined)[];
}

/** A real HTTP server that takes messages, or doesn't. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers: Answer[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    received.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
    const answer = answers.shift() ?? 204;
    if (typeof answer === 'number') response.writeHead(answer).end('what the receiver says is nobody’s business');
    else answer(response, request.socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook/a-token-in-a-path`,
    received,
    answers,
    ids: () => received.map(({ headers }) => headers['webhook-id']?.toString()),
  };
}
