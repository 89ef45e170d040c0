import type { OpenChannel } from '@keyferry/contracts';
import type { Message } from '../message.ts';
import { post, type SendContext } from './post.ts';

/** Far below what Slack takes, and as much as anybody reads there. */
const longest = 3_000;

/** An incoming webhook of Slack, or of what speaks its language. */
export async function sendSlack(
  channel: OpenChannel & { kind: 'slack' },
  { title, lines }: Message,
  context: SendContext,
): Promise<null> {
  const text = slackText(title, lines);
  const body = JSON.stringify({ text, unfurl_links: false, unfurl_media: false });
  await post(channel, { headers: {}, body }, context);
  return null;
}

function slackText(title: string, lines: readonly string[]): string {
  const whole = ['Keyferry', title].join(' ');
  const text = [whole, ...lines].join('\n');
  return escaped(text.length > longest ? `${text.slice(0, longest)}…` : text);
}

/** Without this a name could be a link, or call everyone. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
