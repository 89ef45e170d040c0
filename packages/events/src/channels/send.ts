import type { OpenChannel } from '@keyferry/contracts';
import type { Message } from '../message.ts';
import { sendEmail } from './email.ts';
import type { SendContext } from './post.ts';
import { sendSlack } from './slack.ts';
import { sendWebhook } from './webhook.ts';

/** Sends a message once. Resolves with a warning, or null. Rejects with `delivery_*` or `egress_refused`. */
export async function send(channel: OpenChannel, message: Message, context: SendContext): Promise<string | null> {
  switch (channel.kind) {
    case 'webhook':
      return await sendWebhook(channel, message, context);
    case 'slack':
      return await sendSlack(channel, message, context);
    case 'email':
      return await sendEmail(channel, message, context);
  }
}
