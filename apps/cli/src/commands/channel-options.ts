import { mailSecurities } from '@keyferry/contracts';
import { notificationStates } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { collect, count } from '../command.ts';
import type { Io } from '../output/output.ts';
import { createInputReader, readSecret } from '../read-secret.ts';
import { readText } from './set-members.ts';

/** What `channel add` and `channel update` take. Absent means: the default, or as it is. */
export interface ChannelOptions {
  url?: string;
  signingSecret?: string;
  host?: string;
  port?: number;
  security?: string;
  username?: string;
  password?: string;
  from?: string;
  to?: string[];
  caCert?: string;
  state?: string;
}

export function addChannelOptions(command: Command): Command {
  return command
    .optionsGroup('Webhook and Slack (a secret is its value, or - to be asked for it or read it from stdin):')
    .option('--url <secret>', 'where to post; it is kept secret, since it may hold a token')
    .option(
      '--signing-secret <secret>',
      'webhook: whsec_ and 24 to 64 bytes in base64 (default: a new one, shown once)',
    )
    .optionsGroup('E-mail:')
    .option('--host <name>', 'the mail server')
    .option('--port <number>', 'its port (default: 587, or 465 for tls)', count)
    .addOption(new Option('--security <how>', 'how it is encrypted (default: starttls)').choices(mailSecurities))
    .option('--username <name>', 'to log in with')
    .option('--password <secret>', 'to log in with')
    .option('--from <address>', 'the sender')
    .option('--to <address>', 'who is told; repeat for more', collect)
    .option('--ca-cert <file>', 'PEM file of the authority that signed the server’s certificate')
    .optionsGroup('Options:')
    .addOption(new Option('--state <state>', 'a paused channel keeps what it is to send').choices(notificationStates));
}

/** The settings that options say, as the API takes them. They are checked by the API alone. Throws `usage_invalid`. */
export async function channelSettings(io: Io, options: ChannelOptions): Promise<Record<string, unknown>> {
  const input = createInputReader(io);
  const secret = async (given: string | undefined, what: string) =>
    given === undefined ? undefined : await readSecret(io, input, given, what);
  const settings = {
    url: await secret(options.url, 'URL'),
    signing_secret: await secret(options.signingSecret, 'signing secret'),
    host: options.host,
    port: options.port,
    security: options.security,
    username: options.username,
    password: await secret(options.password, 'password'),
    from: options.from,
    to: options.to,
    ca_cert: options.caCert && (await readText(options.caCert)),
    state: options.state,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
