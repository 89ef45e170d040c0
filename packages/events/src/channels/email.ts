import { isIP } from 'node:net';
import type { OpenChannel } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { resolveAllowed } from '@keyferry/egress';
import { createTransport } from 'nodemailer';
import type { Message } from '../message.ts';
import { connectionFailure, type SendContext } from './post.ts';

type EmailChannel = OpenChannel & { kind: 'email' };

/** Longer ones are cut by some readers anyway. */
const longestSubject = 200;

/**
 * One mail to all recipients, by SMTP. Resolves with a warning where some of them were refused, though not all. Rejects with
 * `delivery_*` or `egress_refused`.
 */
export async function sendEmail(channel: EmailChannel, message: Message, context: SendContext): Promise<string | null> {
  const { egress, signal } = context;
  try {
    const destination = { host: channel.host, plain: channel.security === 'none' };
    // A look-up can't be ended, and may take longer than anything else.
    const found = await untilAborted(resolveAllowed(egress.policy, destination, egress.resolve), signal);
    const addresses = found.map(({ address }) => address);
    const refused = await sendToFirst(channel, addresses, message, signal);
    return refused > 0 ? `The mail server of "${channel.name}" refused ${refused} of the recipients.` : null;
  } catch (error) {
    throw mailFailure(channel.name, error, signal);
  }
}

/** Goes on to the next address where nobody can be spoken to at one. */
async function sendToFirst(
  channel: EmailChannel,
  addresses: readonly string[],
  message: Message,
  signal: AbortSignal,
): Promise<number> {
  const [address = '', ...others] = addresses;
  try {
    return await send(channel, address, message, signal);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (others.length === 0 || signal.aborted || !unconnected.has(code)) throw error;
    return await sendToFirst(channel, others, message, signal);
  }
}

const unconnected: ReadonlySet<unknown> = new Set([
  'ESOCKET',
  'ECONNECTION',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** Connects to the address that was checked: the name might lead elsewhere by now. Returns how many were refused. */
async function send(channel: EmailChannel, address: string, message: Message, signal: AbortSignal): Promise<number> {
  const { host, port, security, username, password, from, to, ca_cert } = channel;
  const transport = createTransport({
    host: address,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: { ...(isIP(host) === 0 && { servername: host }), ...(ca_cert !== null && { ca: ca_cert }) },
    ...(username !== null && { auth: { user: username, pass: password ?? '' } }),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const { rejected } = await transport.sendMail({
      from: { name: 'Keyferry', address: from },
      to,
      subject: `[Keyferry] ${message.title}`.slice(0, longestSubject),
      text: [...message.lines, ''].join('\n'),
      // The same for each attempt, so that a reader shows it once.
      messageId: `<${message.id}@${from.slice(from.lastIndexOf('@') + 1)}>`,
      headers: { 'auto-submitted': 'auto-generated' },
      signal,
    });
    return rejected.length;
  } finally {
    transport.close();
  }
}

/** By the server's answer where there was one, without its words: they may quote what was sent. */
function mailFailure(channel: string, error: unknown, signal: AbortSignal): KeyferryError {
  const status = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0;
  const refusedLogin =
    error instanceof Error && 'code' in error && error.code === 'EAUTH' && !(status >= 400 && status < 500);
  if (status < 400 && !refusedLogin) return connectionFailure(channel, error, signal);
  const what = refusedLogin ? 'refused the login' : 'answered';
  return new KeyferryError(
    status >= 500 || refusedLogin ? 'delivery_refused' : 'delivery_unavailable',
    `The mail server of the channel "${channel}" ${what} with status ${status || 'none'}.`,
    { details: { status } },
  );
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
