import { randomBytes } from 'node:crypto';
import type { OpenChannel } from '@keyferry/contracts';
import { Webhook } from 'standardwebhooks';
import type { Message } from '../message.ts';
import { post, type SendContext } from './post.ts';

/** A signed POST, as https://www.standardwebhooks.com has it. */
export async function sendWebhook(
  channel: OpenChannel & { kind: 'webhook' },
  { id, type, timestamp, data }: Message,
  context: SendContext,
): Promise<null> {
  const body = JSON.stringify({ type, timestamp: timestamp.toISOString(), data });
  const at = context.now();
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(channel.signing_secret).sign(id, at, body),
  };
  await post(channel, { headers, body }, context);
  return null;
}

export const newSigningSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
