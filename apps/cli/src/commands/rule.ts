import type { RemovedByName, RuleAnswer, RuleList } from '@keyferry/contracts';
import { KeyferryError, notificationStates, severities } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { route } from '../api/route.ts';
import { addCommand, addGroup, collect, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { ruleTable } from '../notifications/describe.ts';

interface RuleOptions {
  channel?: string;
  event?: string[];
  backend?: string[];
  path?: string[];
  minSeverity?: string;
  state?: string;
}

interface ChangeOptions extends RuleOptions {
  rename?: string;
  allEvents?: boolean;
  allBackends?: boolean;
  allPaths?: boolean;
}

function addRuleOptions(command: Command): Command {
  return command
    .option('--event <type>', 'tell of this type, such as keys.deprecated; repeat for more (default: all)', collect)
    .option('--backend <backend>', 'tell of this backend; repeat for more (default: all)', collect)
    .option('--path <glob>', 'tell of keys with such a path; repeat for more (default: all)', collect)
    .addOption(new Option('--min-severity <severity>', 'tell of this and graver (default: info)').choices(severities))
    .addOption(
      new Option('--state <state>', 'what happens while it is paused is not told').choices(notificationStates),
    );
}

export function ruleCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'rule', 'say which events are told on which channel');

  addCommand<RuleOptions>(group, host, {
    usage: 'add <name>',
    summary: 'make a rule; it tells of what happens from now on',
    example: 'rule add outages --channel ops --min-severity critical',
    options: (command) => addRuleOptions(command).requiredOption('--channel <channel>', 'where it is told'),
    async run({ options, args: [name = ''], output, api }) {
      const made = await api().post<RuleAnswer>('/notifications/rules', { ...ruleSettings(options), name });
      output.answer(made, () => ruleTable(output, [made]));
    },
  });

  addCommand(group, host, {
    usage: 'list',
    summary: 'list the rules',
    example: 'rule list',
    async run({ output, api }) {
      const list = await api().get<RuleList>('/notifications/rules');
      output.answer(list, () => (list.items.length > 0 ? ruleTable(output, list.items) : 'There is no rule yet.'));
    },
  });

  addCommand<ChangeOptions>(group, host, {
    usage: 'update <rule>',
    summary: 'change what is named, and leave the rest',
    example: 'rule update outages --state paused',
    options: (command) =>
      addRuleOptions(command)
        .option('--channel <channel>', 'where it is told')
        .option('--rename <name>', 'another name')
        .option('--all-events', 'tell of all types')
        .option('--all-backends', 'tell of all backends')
        .option('--all-paths', 'tell of all paths'),
    async run({ options, args: [name = ''], output, api }) {
      const change = {
        ...ruleSettings(options),
        ...(options.rename !== undefined && { name: options.rename }),
        ...(options.allEvents && { event_types: [] }),
        ...(options.allBackends && { backends: [] }),
        ...(options.allPaths && { paths: [] }),
      };
      if (Object.keys(change).length === 0) throw new KeyferryError('usage_invalid', 'Nothing to change was named.');
      const changed = await api().patch<RuleAnswer>(route`/notifications/rules/${name}`, change);
      output.answer(changed, () => ruleTable(output, [changed]));
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'remove <rule>',
    summary: 'remove a rule; what it has told stays in the log',
    example: 'rule remove outages',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      await confirm(output, options.yes, `Remove the rule "${name}"?`);
      const removed = await client.delete<RemovedByName>(route`/notifications/rules/${name}`);
      output.answer(removed, () => `Removed ${removed.name}.`);
    },
  });
}

function ruleSettings(options: RuleOptions): Record<string, unknown> {
  const settings = {
    channel: options.channel,
    event_types: options.event,
    backends: options.backend,
    paths: options.path,
    min_severity: options.minSeverity,
    state: options.state,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
