import type { ConflictAnswer, ConflictPage, ConflictsResolved } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { plural, relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';
import { table } from '../output/table.ts';

/** How many of the keys a question names. */
const mostNamed = 10;

interface ResolveOptions {
  keep: 'local' | 'remote';
  all?: boolean;
  yes?: boolean;
}

export function conflictsCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'conflicts', 'settle keys that were changed in the vault and here');

  addCommand<{ limit: number }>(group, host, {
    usage: 'list <backend>',
    summary: 'list what is in conflict, with both sides, without values',
    example: 'conflicts list production',
    options: (command) => command.option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { limit }, args: [backend = ''], output, api }) {
      const page = await readPages<ConflictAnswer>(api(), route`/federation/backends/${backend}/conflicts`, limit);
      output.answer(page, () =>
        page.items.length > 0 ? conflictTable(output, page.items) : 'Nothing is in conflict.',
      );
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand<ResolveOptions>(group, host, {
    usage: 'resolve <backend> [paths...]',
    summary: 'say which side to keep; a cycle does it, if the vault still has what was seen',
    example: 'conflicts resolve production bifrost/openai/production --keep remote',
    options: (command) =>
      command
        .addOption(
          new Option('--keep <side>', 'local: what is here; remote: what the vault has')
            .choices(['local', 'remote'])
            .makeOptionMandatory(),
        )
        .option('--all', 'all that are in conflict')
        .option('-y, --yes', 'don’t ask'),
    async run({ options: { keep, all, yes }, args: [backend = '', ...paths], output, api }) {
      if ((all === true) === paths.length > 0)
        throw new KeyferryError('usage_invalid', 'Name the paths of keys in conflict, or give --all.');
      const at = route`/federation/backends/${backend}/conflicts`;
      if (all) tellAll(output, await api().get<ConflictPage>(at, { limit: mostNamed + 1 }));
      const which = all ? 'all of them' : paths.length === 1 ? printable(paths[0] ?? '') : plural(paths.length, 'key');
      await confirm(output, yes, `Keep ${sides[keep]} of ${which}? The other side is given up.`);
      const resolved = await api().post<ConflictsResolved>(
        `${at}/resolve`,
        all ? { keep, all: true } : { keep, paths },
      );
      output.answer(resolved, () => outcomeOf(resolved));
    },
  });
}

const sides = { local: 'what is here', remote: 'what the vault has' } as const;

function conflictTable(output: Output, conflicts: readonly ConflictAnswer[]): string {
  const now = new Date();
  const rows = conflicts.map(({ path, local, remote, kind, detected_at, resolution, resolved_by }) => [
    path,
    local.deleted ? 'deleted' : `version ${local.version}, ${sourceWords[local.source]}`,
    local.deleted ? null : relative(local.at, now),
    kind === 'removed' ? 'gone' : (remote.version ?? 'changed'),
    relative(remote.at, now),
    relative(detected_at, now),
    resolution && `${resolution}, by ${resolved_by ?? 'somebody'}`,
  ]);
  return table(output, ['KEY', 'HERE', 'MADE', 'IN THE VAULT', 'MADE', 'SINCE', 'TO BE KEPT'], rows);
}

const sourceWords: Record<ConflictAnswer['local']['source'], string> = {
  vault: 'of the vault',
  local: 'written here',
  rollback: 'rolled back to',
  backup: 'out of a backup',
};

/** What a person has to know before deciding on all. */
function tellAll(output: Output, { items, next_cursor }: ConflictPage): void {
  const named = items.slice(0, mostNamed).map(({ path }) => `\n  ${printable(path)}`);
  const more = items.length > mostNamed || next_cursor !== null ? '\n  and more' : '';
  output.note(items.length === 0 ? 'Nothing is in conflict.' : `In conflict:${named.join('')}${more}`);
}

function outcomeOf({ keep, paths, cycle_id }: ConflictsResolved): string {
  if (paths.length === 0) return 'Nothing was in conflict.';
  const then = cycle_id
    ? `The cycle ${cycle_id} does it: \`keyferry cycles show ${cycle_id}\`.`
    : 'The cycle after the one that is open does it.';
  return `${keep === 'local' ? 'What is here' : 'What the vault has'} is kept of ${plural(paths.length, 'key')}. ${then}`;
}
