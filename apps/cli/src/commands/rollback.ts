import type { KeyVersions, RolledBackAnswer } from '@keyferry/contracts';
import type { Command } from 'commander';
import { route } from '../api/route.ts';
import { addCommand, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { relative } from '../output/format.ts';
import { printable } from '../output/printable.ts';

interface Options {
  to: number;
  reason?: string;
  yes?: boolean;
}

export function rollbackCommand(group: Command, host: Host): void {
  addCommand<Options>(group, host, {
    usage: 'rollback <path>',
    summary: 'serve the value of an earlier version again, until the next change in the vault',
    example: 'keys rollback bifrost/openai/production --to 3',
    options: (command) =>
      command
        .requiredOption('--to <version>', 'the version, as `keys history` shows it', count)
        .option('--reason <text>', 'why')
        .option('-y, --yes', 'don’t ask'),
    async run({ options: { to, reason, yes }, args: [path = ''], output, api }) {
      const versions = await api().get<KeyVersions>(route`/versions/${path}`);
      const name = printable(versions.path);
      const wanted = versions.items.find(({ version }) => version === to);
      const age = wanted ? `, of ${relative(wanted.created_at, new Date())}` : '';
      output.note(`${name} is at version ${versions.current}; version ${to}${age} would be served again.`);
      await confirm(output, yes, `Roll ${name} back from version ${versions.current} to the value of version ${to}?`);
      const rolledBack = await api().post<RolledBackAnswer>(route`/rollback/${path}`, {
        to,
        ...(reason !== undefined && { reason }),
      });
      output.answer(
        rolledBack,
        () =>
          `Rolled back: version ${rolledBack.version} has the value of version ${rolledBack.to_version}, until the next change in the vault.`,
      );
    },
  });
}
