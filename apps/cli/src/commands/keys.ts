import type { KeyAnswer, KeyDetails } from '@keyferry/contracts';
import { keyStates } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { keyTable } from '../keys/describe.ts';
import { facts } from '../output/table.ts';

interface ListOptions {
  backend?: string;
  state?: string;
  prefix?: string;
  limit: number;
}

export function keysCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'keys', 'see what is known of keys; their values are never shown');

  addCommand<ListOptions>(group, host, {
    usage: 'list',
    summary: 'list keys by path',
    example: 'keys list --backend team --state deprecated',
    options: (command) =>
      command
        .option('--backend <backend>', 'of this backend')
        .addOption(new Option('--state <state>', 'in this state').choices(keyStates))
        .option('--prefix <text>', 'whose path begins so')
        .option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { limit, ...query }, output, api }) {
      const { backend, state, prefix } = query;
      const page = await readPages<KeyAnswer>(api(), '/keys', limit, { backend, state, prefix });
      output.answer(page, () => (page.items.length > 0 ? keyTable(output, page.items) : 'There is no such key.'));
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand(group, host, {
    usage: 'show <path>',
    summary: 'show a key’s record, by its local path or id',
    example: 'keys show bifrost/openai/production',
    async run({ args: [path = ''], output, api }) {
      const key = await api().get<KeyDetails>(route`/keys/${path}`);
      const { metadata, credentials_of, ...rest } = key;
      const tags = Object.entries(metadata).map(([name, value]) => `${name}=${value}`);
      output.answer(key, () =>
        facts(output, [
          ...Object.entries(rest).map(([name, value]): [string, string | number | null] => [
            name.replaceAll('_', ' '),
            typeof value === 'boolean' ? (value ? 'yes' : 'no') : value,
          ]),
          ['metadata', tags.join(', ')],
          ['credentials of', credentials_of.join(', ')],
        ]),
      );
    },
  });
}
