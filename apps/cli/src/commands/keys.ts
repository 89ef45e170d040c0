import type { Explanation, KeyAnswer, KeyDetails, KeyVersions } from '@keyferry/contracts';
import { keyStates } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { explanationText, keyFacts, keyTable, versionTable } from '../keys/describe.ts';
import { encryptionCommands } from './encryption.ts';
import { revocationCommands } from './revocations.ts';
import { rollbackCommand } from './rollback.ts';

interface ListOptions {
  backend?: string;
  state?: string;
  prefix?: string;
  invalid?: boolean;
  overdue?: boolean;
  limit: number;
}

export function keysCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'keys', 'see and decide what becomes of keys; their values are never shown');

  addCommand<ListOptions>(group, host, {
    usage: 'list',
    summary: 'list keys by path',
    example: 'keys list --backend team --state deprecated',
    options: (command) =>
      command
        .option('--backend <backend>', 'of this backend')
        .addOption(new Option('--state <state>', 'in this state').choices(keyStates))
        .option('--prefix <text>', 'whose path begins so')
        .option('--invalid', 'with which validation finds something wrong')
        .option('--overdue', 'that should have been rotated by now')
        .option('--limit <number>', 'at most so many', count, 100),
    async run({ options, output, api }) {
      const { backend, state, prefix, invalid: problems, overdue, limit } = options;
      const page = await readPages<KeyAnswer>(api(), '/keys', limit, { backend, state, prefix, problems, overdue });
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
      output.answer(key, () => keyFacts(output, key));
    },
  });

  addCommand(group, host, {
    usage: 'explain <path>',
    summary: 'tell why a key is as it is, what comes next, and what happened to it',
    example: 'keys explain bifrost/openai/production',
    async run({ args: [path = ''], output, api }) {
      const explanation = await api().get<Explanation>(route`/explain/${path}`);
      output.answer(explanation, () => explanationText(output, explanation));
    },
  });

  addCommand(group, host, {
    usage: 'history <path>',
    summary: 'list the versions of a key that are kept, the newest first',
    example: 'keys history bifrost/openai/production',
    async run({ args: [path = ''], output, api }) {
      const versions = await api().get<KeyVersions>(route`/versions/${path}`);
      output.answer(versions, () => versionTable(output, versions));
    },
  });

  rollbackCommand(group, host);
  revocationCommands(group, host);
  encryptionCommands(group, host);
}
