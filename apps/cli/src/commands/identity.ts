import type { IdentityAnswer, IdentityRemoved } from '@keyferry/contracts';
import { KeyferryError, scopes } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { identityFacts, identityTable } from '../identities/describe.ts';
import { plural } from '../output/format.ts';

interface Settings {
  description?: string;
  scope?: string[];
}

const scopeOption = (what: string) =>
  new Option('--scope <scope>', what)
    .choices(scopes)
    .argParser((scope: string, earlier: string[] | undefined) => [...(earlier ?? []), scope]);

export function identityCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'identity', 'say who asks Keyferry, and what they may do with the tenant as a whole');

  addCommand<Settings & { operator?: boolean }>(group, host, {
    usage: 'create <name>',
    summary: 'make an identity; policies say which paths it may read, write or list',
    example: 'identity create ci --description "builds of the shop" --scope federation:read',
    options: (command) =>
      command
        .option('--description <text>', 'what it is for')
        .addOption(scopeOption(`what it may do: ${scopes.join(', ')}; repeat for more (default: none)`))
        .option('--operator', 'let it manage tenants; only an operator makes another'),
    async run({ options, args: [name = ''], output, next, api }) {
      const settings = { ...identitySettings(options), name, ...(options.operator && { operator: true }) };
      const made = await api().post<IdentityAnswer>('/identities', settings);
      output.answer(made, () => identityFacts(output, made));
      output.note(`\nNext: ${next(`token create ${made.name}`)}, or ${next('issuer add')} for signed tokens.`);
    },
  });

  addCommand<{ limit: number }>(group, host, {
    usage: 'list',
    summary: 'list the identities by name',
    example: 'identity list',
    options: (command) => command.option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { limit }, output, api }) {
      const page = await readPages<IdentityAnswer>(api(), '/identities', limit);
      output.answer(page, () =>
        page.items.length > 0 ? identityTable(output, page.items) : 'There is no identity yet.',
      );
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand(group, host, {
    usage: 'show <identity>',
    summary: 'show an identity',
    example: 'identity show ci',
    async run({ args: [name = ''], output, api }) {
      const identity = await api().get<IdentityAnswer>(route`/identities/${name}`);
      output.answer(identity, () => identityFacts(output, identity));
    },
  });

  addCommand<Settings & { withoutScopes?: boolean }>(group, host, {
    usage: 'update <identity>',
    summary: 'change what is named, and leave the rest',
    example: 'identity update ci --scope federation:read --scope jobs:replay',
    options: (command) =>
      command
        .option('--description <text>', 'what it is for')
        .addOption(scopeOption(`all that it may do from now on, of ${scopes.join(', ')}; repeat for more`))
        .option('--without-scopes', 'take all scopes from it'),
    async run({ options, args: [name = ''], output, api }) {
      const change = { ...identitySettings(options), ...(options.withoutScopes && { scopes: [] }) };
      if (Object.keys(change).length === 0) throw new KeyferryError('usage_invalid', 'Nothing to change was named.');
      const changed = await api().patch<IdentityAnswer>(route`/identities/${name}`, change);
      output.answer(changed, () => identityFacts(output, changed));
    },
  });

  for (const [verb, state, what] of [
    ['disable', 'disabled', 'let nobody be an identity for now: its tokens are nobody’s until it is enabled'],
    ['enable', 'active', 'let an identity’s tokens be its own again'],
  ] as const)
    addCommand(group, host, {
      usage: `${verb} <identity>`,
      summary: what,
      example: `identity ${verb} ci`,
      async run({ args: [name = ''], output, api }) {
        const changed = await api().patch<IdentityAnswer>(route`/identities/${name}`, { state });
        output.answer(changed, () => identityFacts(output, changed));
      },
    });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'remove <identity>',
    summary: 'remove an identity: its tokens are revoked, and no policy and no issuer means it any more',
    example: 'identity remove ci',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      await confirm(output, options.yes, `Remove the identity "${name}", and revoke its tokens?`);
      const removed = await client.delete<IdentityRemoved>(route`/identities/${name}`);
      output.answer(removed, () => `Removed ${removed.name}; ${plural(removed.tokens_revoked, 'token')} revoked.`);
    },
  });
}

function identitySettings({ description, scope }: Settings): Record<string, unknown> {
  return { ...(description !== undefined && { description }), ...(scope && { scopes: scope }) };
}
