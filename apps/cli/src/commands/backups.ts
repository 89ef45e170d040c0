import type { BackupAnswer, RestoredAnswer } from '@keyferry/contracts';
import type { Command } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { relative } from '../output/format.ts';
import { printable } from '../output/printable.ts';
import { table } from '../output/table.ts';

interface ListOptions {
  backend?: string;
  path?: string;
  limit: number;
}

export function backupsCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'backups', 'bring back keys that were deprecated; values are never shown');

  addCommand<ListOptions>(group, host, {
    usage: 'list',
    summary: 'list backups, newest first',
    example: 'backups list --path bifrost/openai/production',
    options: (command) =>
      command
        .option('--backend <backend>', 'of this backend')
        .option('--path <path>', 'of the key with this local path')
        .option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { backend, path, limit }, output, api }) {
      const page = await readPages<BackupAnswer>(api(), '/backups', limit, { backend, path });
      const now = new Date();
      const rows = page.items.map((backup) => [
        backup.id,
        backup.path,
        backup.version,
        backup.backend,
        relative(backup.created_at, now),
        backup.reason,
        backup.restored_at && `${relative(backup.restored_at, now)} by ${backup.restored_by ?? 'somebody'}`,
      ]);
      const head = ['BACKUP', 'KEY', 'VERSION', 'BACKEND', 'MADE', 'WHY', 'RESTORED'];
      output.answer(page, () => (rows.length > 0 ? table(output, head, rows) : 'There is no backup.'));
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand<{ reason?: string; yes?: boolean }>(group, host, {
    usage: 'restore <backup>',
    summary: 'bring a key back, and keep it until the vault has it again',
    example: 'backups restore 0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69',
    options: (command) => command.option('--reason <text>', 'why').option('-y, --yes', 'don’t ask'),
    async run({ options: { reason, yes }, args: [id = ''], output, api }) {
      await confirm(output, yes, `Serve the key of the backup ${printable(id)} again, though the vault lacks it?`);
      const body = reason === undefined ? {} : { reason };
      const restored = await api().post<RestoredAnswer>(route`/backups/${id}/restore`, body);
      output.answer(
        restored,
        () =>
          `${printable(restored.path)} is active again, at version ${restored.version}${restored.new_version ? ', which is new' : ''}. It is kept until the vault has it again.`,
      );
    },
  });
}
