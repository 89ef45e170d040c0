import type { TokenAnswer, TokenMade } from '@keyferry/contracts';
import type { Command } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { tokenFacts, tokenTable } from '../identities/describe.ts';

export function tokenCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'token', 'make and revoke the bearer tokens of identities');

  addCommand<{ name?: string; expiresIn?: string }>(group, host, {
    usage: 'create <identity>',
    summary: 'make a token and print it, this once; where its output is no terminal, the token alone',
    example: 'token create ci --name runner --expires-in 90d',
    options: (command) =>
      command
        .option('--name <name>', 'to tell it from the identity’s others (default: token)')
        .option('--expires-in <duration>', 'how long it is valid, such as 90d (default: until it is revoked)'),
    async run({ options: { name, expiresIn }, args: [identity = ''], output, api }) {
      const settings = {
        ...(name !== undefined && { name }),
        ...(expiresIn !== undefined && { expires_in: expiresIn }),
      };
      const made = await api().post<TokenMade>(route`/identities/${identity}/tokens`, settings);
      output.answer(made, () => (output.io.stdout.isTTY ? tokenFacts(output, made) : made.token));
      output.note('Keep it now: it can’t be shown again.');
    },
  });

  addCommand<{ limit: number }>(group, host, {
    usage: 'list <identity>',
    summary: 'list an identity’s tokens, the newest first, and when they were last used',
    example: 'token list ci',
    options: (command) => command.option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { limit }, args: [identity = ''], output, api }) {
      const page = await readPages<TokenAnswer>(api(), route`/identities/${identity}/tokens`, limit);
      output.answer(page, () => (page.items.length > 0 ? tokenTable(output, page.items) : 'It has no token yet.'));
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'revoke <identity> <token>',
    summary: 'revoke a token, by its name or id; within two seconds it is nobody’s, for good',
    example: 'token revoke ci runner',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [identity = '', token = ''], output, api }) {
      const client = api();
      await confirm(output, options.yes, `Revoke the token "${token}" of "${identity}"?`);
      const revoked = await client.delete<TokenAnswer>(route`/identities/${identity}/tokens/${token}`);
      output.answer(revoked, () => `Revoked ${revoked.name} (${revoked.shown}…).`);
    },
  });
}
