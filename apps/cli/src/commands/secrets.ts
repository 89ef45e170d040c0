import type { DeletedAnswer, SecretAnswer, SecretPage, WrittenAnswer } from '@keyferry/contracts';
import type { Command } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { printable } from '../output/printable.ts';
import { table } from '../output/table.ts';
import { givenValue } from '../secrets/given-value.ts';
import { showValue } from '../secrets/show.ts';
import { resolveCommand } from './resolve.ts';

export function secretsCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'secrets', 'read and write values');

  addCommand<{ field?: string; version?: number }>(group, host, {
    usage: 'get <path>',
    summary: 'print a value as it is; a newline is added on a terminal alone',
    example: 'secrets get bifrost/database --field password',
    options: (command) =>
      command
        .option('--field <name>', 'one member of a value that is a JSON object')
        .option('--version <number>', 'an earlier version, while it may be read', count),
    async run({ options: { field, version }, args: [path = ''], output, api }) {
      showValue(output, await api().get<SecretAnswer>(route`/secrets/${path}`, { field, version }));
    },
  });

  addCommand<{ limit: number }>(group, host, {
    usage: 'list [prefix]',
    summary: 'list the paths that can be read, without their values',
    example: 'secrets list bifrost/',
    options: (command) => command.option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { limit }, args: [prefix = ''], output, api }) {
      const page = await readPages<SecretPage['items'][number]>(api(), '/secrets', limit, { prefix });
      const rows = page.items.map(({ path, backend, mode }) => [path, backend, mode]);
      output.answer(page, () =>
        rows.length > 0 ? table(output, ['PATH', 'BACKEND', 'MODE'], rows) : 'There is no such secret.',
      );
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand(group, host, {
    usage: 'put <path> [source]',
    summary: 'write a value: from standard input or a hidden question (-), or a file (@file)',
    example: 'secrets put bifrost/openai/production @key.txt',
    async run({ args: [path = '', source = ''], output, api }) {
      const target = route`/secrets/${path}`;
      const written = await api().put<WrittenAnswer>(target, await givenValue(output.io, source));
      const where = written.written_to === 'vault' ? 'in its vault, and here' : 'here';
      output.answer(
        written,
        () =>
          `${printable(written.path)} is ${written.created ? 'created' : 'written'} ${where}, at version ${written.version}.`,
      );
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'delete <path>',
    summary: 'delete a secret here, and in its vault if Keyferry had made it there',
    example: 'secrets delete bifrost/openai/staging',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options: { yes }, args: [path = ''], output, api }) {
      const target = route`/secrets/${path}`;
      await confirm(output, yes, `Delete the secret ${printable(path)}?`);
      const deleted = await api().delete<DeletedAnswer>(target);
      const where =
        deleted.removed_from === 'vault' ? 'here, and recoverably in its vault' : 'here; what its vault holds stays';
      output.answer(deleted, () => `${printable(deleted.path)} is deleted ${where}.`);
    },
  });

  resolveCommand(group, host);
}
