import { channelKinds, notificationStates, pathProblem } from '@keyferry/core';
import { z } from 'zod';
import { backendName, count, timestamp } from './fields.ts';

/** Where people are told, and what it takes to send there. */

const name = backendName.describe('Unique among the channels.');
const state = z.enum(notificationStates).describe('A paused channel keeps what it is to send.');

const url = z
  .string()
  .max(2048)
  .refine(isHttpUrl, 'must be a URL that starts with https:// and has no user in it')
  .describe('Encrypted, since it may hold a token: of it only scheme, host and port are shown.');

function isHttpUrl(text: string): boolean {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (!parsed || pathProblem(text.replaceAll('//', '/')) === 'control_character') return false;
  return ['https:', 'http:'].includes(parsed.protocol) && parsed.username === '' && parsed.password === '';
}

/** Of 24 to 64 bytes, as Standard Webhooks wants them. */
const signingSecret = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, 'must be whsec_ and then base64')
  .refine((text) => {
    const { length } = Buffer.from(text.slice('whsec_'.length), 'base64');
    return length >= 24 && length <= 64;
  }, 'must be 24 to 64 bytes in base64')
  .describe('What messages are signed with. Made by Keyferry where it is not given, and shown once.');

const address = z
  .email('must be an e-mail address')
  .max(254)
  .regex(/^[^\s<>,;:"\\()[\]]+$/, 'must be an e-mail address without a name');

const text = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^\P{Cc}*$/u, 'must not have control characters');

export const mailSecurities = ['starttls', 'tls', 'none'] as const;

const webhookFields = { url, signing_secret: signingSecret };
const slackFields = { url };
const emailFields = {
  host: text(255).describe('The mail server.'),
  port: z.int().min(1).max(65_535).describe('587 for starttls, 465 for tls, 25 for none.'),
  security: z
    .enum(mailSecurities)
    .describe('starttls and tls are both required to succeed; none is for hosts that the operator has allowed.'),
  username: text(255).nullable(),
  password: text(1024).describe('Encrypted, and never shown.'),
  from: address.describe('The sender.'),
  to: z.array(address).min(1).max(50).describe('Who is told.'),
  ca_cert: z
    .string()
    .max(65_536)
    .nullable()
    .describe('PEM of the authority that signed the server’s certificate, if it is one of your own.'),
};

export const channelInput = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: z.literal('webhook'),
      name,
      state: state.default('active'),
      ...webhookFields,
      signing_secret: signingSecret.optional(),
    }),
    z.strictObject({ kind: z.literal('slack'), name, state: state.default('active'), ...slackFields }),
    z.strictObject({
      kind: z.literal('email'),
      name,
      state: state.default('active'),
      ...emailFields,
      port: emailFields.port.optional(),
      security: emailFields.security.default('starttls'),
      username: emailFields.username.default(null),
      password: emailFields.password.optional(),
      ca_cert: emailFields.ca_cert.default(null),
    }),
  ],
  {
    error: (issue) =>
      issue.code === 'invalid_union' ? `must be one of ${channelKinds.join(', ')}` : 'must be an object',
  },
);
export type ChannelInput = z.output<typeof channelInput>;

/** What changes a channel: whatever is given that its kind has. The kind is for good. */
export const channelPatch = z
  .strictObject({
    name,
    state,
    ...webhookFields,
    ...emailFields,
    new_signing_secret: z.literal(true).describe('Makes a new signing secret, and shows it once.'),
  })
  .exactPartial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one setting')
  .meta({ id: 'ChannelPatch' });
export type ChannelPatch = z.output<typeof channelPatch>;

/** The members of a patch that each kind has beside name and state. */
export const channelMembers = {
  webhook: [...Object.keys(webhookFields), 'new_signing_secret'],
  slack: Object.keys(slackFields),
  email: Object.keys(emailFields),
} as const;

/** A channel with its secrets, as it is sent by. */
export const openChannel = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('webhook'), name: z.string(), url: z.string(), signing_secret: z.string() }),
  z.object({ kind: z.literal('slack'), name: z.string(), url: z.string() }),
  z.object({
    kind: z.literal('email'),
    name: z.string(),
    host: z.string(),
    port: z.number(),
    security: z.enum(mailSecurities),
    username: z.string().nullable(),
    password: z.string().nullable(),
    from: z.string(),
    to: z.array(z.string()),
    ca_cert: z.string().nullable(),
  }),
]);
export type OpenChannel = z.output<typeof openChannel>;

export const channelAnswer = z
  .object({
    id: z.uuid(),
    name: z.string(),
    kind: z.enum(channelKinds),
    state: z.enum(notificationStates),
    config: z
      .record(z.string(), z.unknown())
      .describe('What may be shown: of a URL only scheme, host and port as `address`; no secrets.'),
    failures: count.describe('Failed attempts in a row.'),
    retry_at: timestamp.nullable().describe('Nothing is sent before, because of them.'),
    last_delivered_at: timestamp.nullable(),
    last_failed_at: timestamp.nullable(),
    last_error: z.object({ code: z.string(), message: z.string() }).nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Channel' });
export type ChannelAnswer = z.output<typeof channelAnswer>;

/** The answer to making a channel, or a new signing secret. */
export const channelMade = channelAnswer
  .extend({ signing_secret: z.string().optional().describe('Shown this once, where Keyferry has made it.') })
  .meta({ id: 'ChannelMade' });
export type ChannelMade = z.output<typeof channelMade>;

export const channelList = z.object({ items: z.array(channelAnswer) });
export type ChannelList = z.output<typeof channelList>;

export const channelTested = z.object({
  delivered: z.literal(true),
  duration_ms: count,
  warning: z.string().nullable().describe('What was not quite right, such as a recipient who was refused.'),
});
export type ChannelTested = z.output<typeof channelTested>;

export const removedByName = z.object({ id: z.uuid(), name: z.string() });
export type RemovedByName = z.output<typeof removedByName>;
