import {
  type ChannelInput,
  type ChannelPatch,
  channelMembers,
  type OpenChannel,
  openChannel,
} from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { assertDestination, type EgressPolicy } from '@keyferry/egress';
import { newSigningSecret } from '@keyferry/events';
import {
  type Channel,
  type ChannelSettings,
  openChannelSecret,
  readKept,
  type TenantKeys,
  type Tx,
} from '@keyferry/store';

type EmailChannel = OpenChannel & { kind: 'email' };
type EmailInput = ChannelInput & { kind: 'email' };

const usualPorts = { starttls: 587, tls: 465, none: 25 };

/** A new channel as it is sent by, completed with what Keyferry makes. */
export function newChannel(input: ChannelInput): OpenChannel {
  switch (input.kind) {
    case 'webhook':
      return {
        kind: 'webhook',
        name: input.name,
        url: input.url,
        signing_secret: input.signing_secret ?? newSigningSecret(),
      };
    case 'slack':
      return { kind: 'slack', name: input.name, url: input.url };
    case 'email':
      return newEmail(input);
  }
}

function newEmail({ state: _, port, password, ...same }: EmailInput): EmailChannel {
  return { ...same, port: port ?? usualPorts[same.security], password: password ?? null };
}

/** The stored channel as it is sent by. */
export async function openStored(tx: Tx, channel: Channel, keys: TenantKeys, now: Date): Promise<OpenChannel> {
  const secret = await readKept(tx, await openChannelSecret(tx, channel.id, keys), keys, now);
  return openChannel.parse({ ...channel.config, ...secret, kind: channel.kind, name: channel.name });
}

/** The channel with a change laid over it, what Keyferry makes among it. Throws `config_invalid` for a member that its kind doesn't have. */
export function changedChannel(stored: OpenChannel, patch: ChannelPatch): OpenChannel {
  const { state: _, new_signing_secret: _made, ...change } = patch;
  const own: readonly string[] = ['name', 'state', ...channelMembers[stored.kind]];
  const foreign = Object.keys(patch).find((member) => !own.includes(member));
  if (foreign)
    throw new KeyferryError('config_invalid', `${foreign}: a channel of the kind ${stored.kind} doesn't have it.`);
  if (stored.kind === 'email') refuseRedirection(stored, patch);
  return openChannel.parse({
    ...stored,
    ...(patch.username === null && { password: null }),
    ...change,
  });
}

/**
 * Refuses to send a stored password elsewhere: whoever changes the mail server has to know it. Otherwise anyone who may
 * change a channel could have it delivered to a server of theirs.
 */
function refuseRedirection(stored: EmailChannel, patch: ChannelPatch): void {
  if (stored.password === null || patch.password !== undefined || patch.username === null) return;
  const deciding = ['host', 'port', 'security', 'ca_cert'] as const;
  const changed = deciding.find((name) => patch[name] !== undefined && patch[name] !== stored[name]);
  if (changed)
    throw new KeyferryError(
      'config_invalid',
      `${changed} decides where the password is sent, and can be changed only together with password.`,
    );
}

/**
 * A channel as it is stored, its secrets apart. Throws `config_invalid` for settings that don't go together, and
 * `egress_refused` for a destination that can be told to be refused without looking its name up.
 */
export function storedSettings(channel: OpenChannel, policy: EgressPolicy): Pick<ChannelSettings, 'config' | 'secret'> {
  if (channel.kind !== 'email') {
    const { kind: _kind, name: _name, ...secret } = channel;
    const { origin, hostname, protocol } = new URL(channel.url);
    assertDestination(policy, { host: hostname, plain: protocol !== 'https:' });
    return { config: { address: origin }, secret };
  }
  const { kind: _kind, name: _name, password, ...config } = channel;
  assertDestination(policy, { host: channel.host, plain: channel.security === 'none' });
  if ((channel.username === null) !== (password === null))
    throw new KeyferryError('config_invalid', 'username and password: there are both, or none.');
  return { config, secret: { password } };
}
