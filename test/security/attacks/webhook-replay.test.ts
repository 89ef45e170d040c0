import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OpenChannel } from '@keyferry/contracts';
import { createEgressClient } from '@keyferry/egress';
import { newSigningSecret, tryChannel } from '@keyferry/events';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, test } from 'vitest';
import { thisMachine } from '../../support/this-machine.ts';

/** What a receiver refuses that verifies as docs/notifications.md says, by the standard's own library. */

interface Received {
  headers: Record<string, string>;
  body: string;
}

async function receive(secret: string, now: () => Date = () => new Date()): Promise<Received> {
  const taken = Promise.withResolvers<Received>();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    response.end();
    taken.resolve({ headers: request.headers as Record<string, string>, body });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const egress = createEgressClient({ policy: thisMachine });
  try {
    const { port } = server.address() as AddressInfo;
    const channel: OpenChannel = {
      kind: 'webhook',
      name: 'attacked',
      url: `http://127.0.0.1:${port}/`,
      signing_secret: secret,
    };
    await tryChannel(channel, { egress, now });
    return await taken.promise;
  } finally {
    await egress.close();
    server.close();
    server.closeAllConnections();
  }
}

const secret = newSigningSecret();
const verify = ({ headers, body }: Received, by = secret) => new Webhook(by).verify(body, headers);

describe('a message as it was sent is taken, and', () => {
  let message: Received;
  beforeAll(async () => {
    message = await receive(secret);
  });

  const changed = (headers: Record<string, string>) => ({ ...message, headers: { ...message.headers, ...headers } });
  const seconds = (offset: number) => String(Math.floor(Date.now() / 1000) + offset);

  test('is one', () => {
    expect(verify(message)).toEqual(JSON.parse(message.body));
  });

  test.each([
    ['another body', () => ({ ...message, body: message.body.replace('{', '{"more":1,') })],
    ['a body with a space more', () => ({ ...message, body: `${message.body} ` })],
    ['another id', () => changed({ 'webhook-id': randomUUID() })],
    ['a later time under the same signature', () => changed({ 'webhook-timestamp': seconds(60) })],
    ['no time', () => changed({ 'webhook-timestamp': '' })],
    ['no signature', () => changed({ 'webhook-signature': '' })],
    ['a signature of nothing', () => changed({ 'webhook-signature': 'v1,' })],
    [
      'a signature of another version',
      () => changed({ 'webhook-signature': (message.headers['webhook-signature'] ?? '').replace('v1,', 'v0,') }),
    ],
    [
      'a signature by another secret',
      () => {
        const id = message.headers['webhook-id'] ?? '';
        return changed({ 'webhook-signature': new Webhook(newSigningSecret()).sign(id, new Date(), message.body) });
      },
    ],
  ])('with %s is none', (_what, attack) => {
    expect(() => verify(attack())).toThrow();
  });

  test('is none by another secret', () => {
    expect(() => verify(message, newSigningSecret())).toThrow();
  });
});

test.each([
  ['an hour ago', -3_600_000],
  ['six minutes ago', -360_000],
  ['in an hour', 3_600_000],
])('a message that was signed %s is none any more, though its signature is right', async (_what, offset) => {
  const message = await receive(secret, () => new Date(Date.now() + offset));
  expect(() => verify(message)).toThrow(/timestamp/i);
});
