import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createEgressClient, parseEgress, type Resolve } from '../src/index.ts';

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host}${request.url}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  return { port: (server.address() as AddressInfo).port, asked };
}

function client(allowed: string, resolve?: Resolve) {
  const made = createEgressClient({ policy: parseEgress(allowed), ...(resolve && { resolve }) });
  onTestFinished(() => made.close());
  return made;
}

const request = () => ({ headers: {}, body: 'x', signal: AbortSignal.timeout(5_000) });

test('a name that led to a public address and then leads to this machine reaches nothing', async () => {
  const server = await serve((_, response) => response.end());
  const answers = ['8.8.8.8', '127.0.0.1'];
  const resolve: Resolve = async () => [{ address: answers.shift() ?? '127.0.0.1', family: 4 }];
  // Seen first where the channel was configured.
  expect((await resolve('rebound.example'))[0]?.address).toBe('8.8.8.8');
  const sent = client('', resolve).post(`https://rebound.example:${server.port}/`, request());
  await expect(sent).rejects.toMatchObject({ code: 'egress_refused' });
  expect(server.asked).toEqual([]);
});

test.each(['127.0.0.1', '0177.0.0.1', '2130706433', '[::ffff:127.0.0.1]', '127.0.0.1.', 'localhost'])(
  'https://%s is refused before anything is sent, and http too',
  async (host) => {
    const server = await serve((_, response) => response.end());
    for (const scheme of ['https', 'http'])
      await expect(client('').post(`${scheme}://${host}:${server.port}/`, request())).rejects.toMatchObject({
        code: 'egress_refused',
      });
    expect(server.asked).toEqual([]);
  },
);

test('the address that was checked is the one that is connected to, under the name that was given', async () => {
  const server = await serve((_, response) => response.writeHead(204).end());
  const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }];
  const answer = await client('hooks.internal', resolve).post(`http://hooks.internal:${server.port}/a?b=1`, request());
  expect(answer).toEqual({ status: 204, retryAfter: undefined });
  expect(server.asked).toEqual([`POST hooks.internal:${server.port}/a?b=1`]);
});

test('a redirect is an answer, and is not followed', async () => {
  const inner = await serve((_, response) => response.end());
  const server = await serve((_, response) =>
    response.writeHead(307, { location: `http://127.0.0.1:${inner.port}/` }).end(),
  );
  expect(await client('127.0.0.1').post(`http://127.0.0.1:${server.port}/`, request())).toMatchObject({ status: 307 });
  expect(inner.asked).toEqual([]);
});

test('a body without an end is not waited for', async () => {
  const server = await serve((_, response) => {
    response.writeHead(200);
    const flood = () => void (response.destroyed || response.write('x'.repeat(65_536), () => setImmediate(flood)));
    flood();
  });
  expect(await client('127.0.0.1').post(`http://127.0.0.1:${server.port}/`, request())).toMatchObject({ status: 200 });
});
