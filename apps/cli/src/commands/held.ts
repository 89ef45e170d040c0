import type { HoldApproved, HoldDetail, HoldList } from '@keyferry/contracts';
import { holdStates } from '@keyferry/contracts';
import { type Command, Option } from 'commander';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { relative } from '../output/format.ts';
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
        relative(hold.opened_at, now),
        hold.decided_by,
      ]);
      const head = ['HOLD', 'BACKEND', 'STATE', 'KEYS', 'SINCE', 'DECIDED BY'];
      output.answer(list, () => (rows.length > 0 ? table(output, head, rows) : 'Nothing is held.'));
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'approve <hold>',
    summary: 'let exactly these keys go, if a new cycle proves again that they are gone',
    example: 'held approve 0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [id = ''], output, api }) {
      const hold = await api().get<HoldDetail>(route`/federation/holds/${id}`);
      const more = hold.candidates > mostNamed ? `\n  and ${hold.candidates - mostNamed} more` : '';
      const paths = hold.paths.slice(0, mostNamed).map((path) => `\n  ${printable(path)}`);
      output.note(`${hold.candidates} of ${hold.keys} keys of ${hold.backend} would go:${paths.join('')}${more}`);
      await confirm(output, options.yes, 'Deprecate them if they are proven gone?');
      const approved = await api().post<HoldApproved>(route`/federation/holds/${id}/approve`);
      const { id: cycle } = approved.cycle;
      output.answer(
        approved,
        () => `Approved. The cycle ${cycle} proves everything again: \`keyferry cycles show ${cycle}\`.`,
      );
    },
  });
}
