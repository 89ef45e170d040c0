import type { DeliveriesReplayed, DeliveryAnswer, DeliveryDetail } from '@keyferry/contracts';
import { KeyferryError, noticeStates } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { deliveryFacts, deliveryTable } from '../notifications/describe.ts';

export function deliveriesCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'deliveries', 'see what people were told, and tell it again');

  addCommand<{ state?: string; channel?: string; limit: number }>(group, host, {
    usage: 'list',
    summary: 'list deliveries, newest first',
    example: 'deliveries list --state failed',
    options: (command) =>
      command
        .addOption(new Option('--state <state>', 'in this state').choices(noticeStates))
        .option('--channel <channel>', 'on this channel')
        .option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { limit, state, channel }, output, api }) {
      const query = { state, channel };
      const page = await readPages<DeliveryAnswer>(api(), '/notifications/deliveries', limit, query);
      output.answer(page, () => (page.items.length > 0 ? deliveryTable(output, page.items) : 'There is no delivery.'));
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand(group, host, {
    usage: 'show <delivery>',
    summary: 'show a delivery and what it tells',
    example: 'deliveries show 0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69',
    async run({ args: [id = ''], output, api }) {
      const delivery = await api().get<DeliveryDetail>(route`/notifications/deliveries/${id}`);
      output.answer(delivery, () => deliveryFacts(output, delivery));
    },
  });

  addCommand<{ failed?: boolean; channel?: string; yes?: boolean }>(group, host, {
    usage: 'replay [delivery]',
    summary: 'send a delivery again, or all that failed',
    example: 'deliveries replay --failed --channel ops',
    options: (command) =>
      command
        .option('--failed', 'everything that failed')
        .option('--channel <channel>', 'with --failed: on this channel alone')
        .option('-y, --yes', 'don’t ask'),
    async run({ options: { failed, channel, yes }, args: [id = ''], output, api }) {
      if ((id === '') !== (failed === true) || (channel !== undefined && !failed))
        throw new KeyferryError('usage_invalid', 'Name one delivery, or say --failed, maybe with --channel.');
      if (!failed) {
        const replayed = await api().post<DeliveryAnswer>(route`/notifications/deliveries/${id}/replay`);
        output.answer(replayed, () => `It is sent again: \`keyferry deliveries show ${replayed.id}\`.`);
        return undefined;
      }
      const where = channel === undefined ? '' : ` on the channel "${channel}"`;
      await confirm(output, yes, `Send everything again that failed${where}?`);
      const body = { state: 'failed', ...(channel !== undefined && { channel }) };
      const answer = await api().post<DeliveriesReplayed>('/notifications/deliveries/replay', body);
      output.answer(answer, () => `${answer.replayed} sent again: \`keyferry deliveries list\` shows them.`);
      return undefined;
    },
  });
}
