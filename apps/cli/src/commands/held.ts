import type { HoldApproved, HoldDetail, HoldList, HoldRejected } from '@keyferry/contracts';
import { holdStates } from '@keyferry/contracts';
import { type Command, Option } from 'commander';
import type { ApiClient } from '../api/client.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';
import { table } from '../output/table.ts';

/** How many of the keys a question names. */
const mostNamed = 10;

export function heldCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'held', 'decide on keys that were not removed because they are so many');

  addCommand<{ state: string; limit: number }>(group, host, {
    usage: 'list',
    summary: 'list what waits for a person’s word',
    example: 'held list',
    options: (command) =>
      command
        .addOption(new Option('--state <state>', 'in this state').choices(holdStates).default('open'))
        .option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { state, limit }, output, api }) {
      const list = await api().get<HoldList>('/federation/holds', { state, limit: Math.min(limit, 500) });
      const now = new Date();
      const rows = list.items.map((hold) => [
        hold.id,
        hold.backend,
        hold.state,
        `${hold.candidates} of ${hold.keys}`,
        hold.kind === 'removal' ? 'backend to be removed' : 'cycle',
        relative(hold.opened_at, now),
        hold.decided_by,
      ]);
      const head = ['HOLD', 'BACKEND', 'STATE', 'KEYS', 'BY', 'SINCE', 'DECIDED BY'];
      output.answer(list, () => (rows.length > 0 ? table(output, head, rows) : 'Nothing is held.'));
    },
  });

  addCommand(group, host, {
    usage: 'show <hold>',
    summary: 'show the keys a hold lists, and why they would go',
    example: 'held show 0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69',
    async run({ args: [id = ''], output, api }) {
      const hold = await api().get<HoldDetail>(route`/federation/holds/${id}`);
      const rows = hold.listed.map(({ path, cause }) => [path, causes[cause]]);
      output.answer(hold, () => `${summaryOf(hold)}\n\n${table(output, ['KEY', 'WHY'], rows)}`);
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'approve <hold>',
    summary: 'let exactly these keys go, if a new cycle proves again that they are gone',
    example: 'held approve 0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [id = ''], output, api }) {
      const hold = await showHold(api(), output, id);
      const question =
        hold.kind === 'removal'
          ? `Remove the backend "${hold.backend}" and archive them?`
          : 'Let them go if everything is proven again?';
      await confirm(output, options.yes, question);
      const approved = await api().post<HoldApproved>(route`/federation/holds/${id}/approve`);
      const { cycle } = approved;
      output.answer(approved, () =>
        cycle
          ? `Approved. The cycle ${cycle.id} proves everything again: \`keyferry cycles show ${cycle.id}\`.`
          : `Approved. The backend ${hold.backend} is removed.`,
      );
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'reject <hold>',
    summary: 'keep exactly these keys, until they are found again',
    example: 'held reject 0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [id = ''], output, api }) {
      await showHold(api(), output, id);
      await confirm(output, options.yes, 'Keep them as they are?');
      const rejected = await api().post<HoldRejected>(route`/federation/holds/${id}/reject`);
      output.answer(
        rejected,
        () => 'Rejected. They stay as they are, and count as found once the vault shows them again.',
      );
    },
  });
}

const causes: Record<HoldDetail['listed'][number]['cause'], string> = {
  absent: 'missing from the vault',
  out_of_scope: 'left out by the settings',
  renamed: 'would have another path',
  removal: 'its backend is to be removed',
};

/** What a person has to know before deciding. */
async function showHold(api: ApiClient, output: Output, id: string): Promise<HoldDetail> {
  const hold = await api.get<HoldDetail>(route`/federation/holds/${id}`);
  const more = hold.candidates > mostNamed ? `\n  and ${hold.candidates - mostNamed} more` : '';
  const named = hold.listed.slice(0, mostNamed).map(({ path, cause }) => `\n  ${printable(path)}  (${causes[cause]})`);
  output.note(`${summaryOf(hold)}${named.join('')}${more}`);
  return hold;
}

const summaryOf = ({ candidates, keys, backend, state }: HoldDetail) =>
  `${candidates} of ${keys} keys of ${backend} ${state === 'open' ? 'would go' : 'were to go'}:`;
