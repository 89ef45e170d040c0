import type { ChannelAnswer, ChannelList, ChannelMade, ChannelTested, RemovedByName } from '@keyferry/contracts';
import { channelKinds, KeyferryError } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { route } from '../api/route.ts';
import { addCommand, addGroup, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { channelFacts, channelTable } from '../notifications/describe.ts';
import { addChannelOptions, type ChannelOptions, channelSettings } from './channel-options.ts';

const channels = '/notifications/channels';

export function channelCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'channel', 'say where people are told: webhooks, Slack, e-mail');

  addCommand<ChannelOptions & { kind: string }>(group, host, {
    usage: 'add <name>',
    summary: 'make a channel; rules say what is told on it',
    example: 'channel add ops --kind slack --url -',
    options: (command) =>
      addChannelOptions(command).addOption(
        new Option('--kind <kind>', 'how it speaks').choices(channelKinds).default('webhook'),
      ),
    async run({ options, args: [name = ''], output, next, api }) {
      const settings = { ...(await channelSettings(output.io, options)), kind: options.kind, name };
      const made = await api().post<ChannelMade>(channels, settings);
      output.answer(made, () => channelFacts(output, made));
      output.note(
        `\nNext: ${next(`channel test ${made.name}`)}, then ${next(`rule add <name> --channel ${made.name}`)}.`,
      );
    },
  });

  addCommand(group, host, {
    usage: 'list',
    summary: 'list the channels and how they are doing',
    example: 'channel list',
    async run({ output, api }) {
      const list = await api().get<ChannelList>(channels);
      output.answer(list, () =>
        list.items.length > 0 ? channelTable(output, list.items) : 'There is no channel yet.',
      );
    },
  });

  addCommand(group, host, {
    usage: 'show <channel>',
    summary: 'show a channel, without its secrets',
    example: 'channel show ops',
    async run({ args: [name = ''], output, api }) {
      const channel = await api().get<ChannelAnswer>(route`/notifications/channels/${name}`);
      output.answer(channel, () => channelFacts(output, channel));
    },
  });

  addCommand<ChannelOptions & { rename?: string; newSigningSecret?: boolean }>(group, host, {
    usage: 'update <channel>',
    summary: 'change what is named, and leave the rest; what waits for the channel is sent at once',
    example: 'channel update ops --state active',
    options: (command) =>
      addChannelOptions(command)
        .option('--rename <name>', 'another name')
        .option('--new-signing-secret', 'webhook: make a new signing secret, and show it once'),
    async run({ options, args: [name = ''], output, api }) {
      const change = await channelSettings(output.io, options);
      if (options.rename !== undefined) change.name = options.rename;
      if (options.newSigningSecret) change.new_signing_secret = true;
      if (Object.keys(change).length === 0) throw new KeyferryError('usage_invalid', 'Nothing to change was named.');
      const changed = await api().patch<ChannelMade>(route`/notifications/channels/${name}`, change);
      output.answer(changed, () => channelFacts(output, changed));
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'remove <channel>',
    summary: 'remove a channel that no rule uses; what waits for it is not sent any more',
    example: 'channel remove ops',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      await confirm(output, options.yes, `Remove the channel "${name}", and what waits for it?`);
      const removed = await client.delete<RemovedByName>(route`/notifications/channels/${name}`);
      output.answer(removed, () => `Removed ${removed.name}.`);
    },
  });

  addCommand(group, host, {
    usage: 'test <channel>',
    summary: 'send a test message now',
    example: 'channel test ops',
    async run({ args: [name = ''], output, api }) {
      const test = await api().post<ChannelTested>(route`/notifications/channels/${name}/test`);
      output.answer(test, () => {
        const warning = test.warning === null ? '' : ` ${test.warning}`;
        return `The receiver took the message, in ${test.duration_ms} ms.${warning}`;
      });
    },
  });
}
