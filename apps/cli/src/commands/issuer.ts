import type { IssuerAnswer, IssuerList, RemovedByName } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { Command } from 'commander';
import { route } from '../api/route.ts';
import { addCommand, addGroup, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { issuerFacts, issuerTable } from '../identities/describe.ts';
import { addIssuerOptions, type IssuerOptions, issuerSettings, kindOption } from './issuer-options.ts';

interface ChangeOptions extends IssuerOptions {
  rename?: string;
  discover?: boolean;
  withoutMappings?: boolean;
}

export function issuerCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'issuer', 'say whose signed tokens are taken: OpenID Connect, Kubernetes');

  addCommand<IssuerOptions & { kind: string }>(group, host, {
    usage: 'add <name>',
    summary: 'take an issuer’s signed tokens, and say whom their claims stand for',
    example:
      'issuer add github --issuer https://token.actions.githubusercontent.com --audience keyferry --map "ci sub=repo:acme/shop:*"',
    options: (command) => addIssuerOptions(command).addOption(kindOption),
    async run({ options, args: [name = ''], output, api }) {
      for (const needed of ['issuer', 'audience'] as const)
        if (options[needed] === undefined) throw new KeyferryError('usage_invalid', `--${needed} has to be given.`);
      const settings = { ...(await issuerSettings(options)), kind: options.kind, name };
      const made = await api().post<IssuerAnswer>('/issuers', settings);
      output.answer(made, () => issuerFacts(output, made));
    },
  });

  addCommand(group, host, {
    usage: 'list',
    summary: 'list the issuers',
    example: 'issuer list',
    async run({ output, api }) {
      const list = await api().get<IssuerList>('/issuers');
      output.answer(list, () => (list.items.length > 0 ? issuerTable(output, list.items) : 'There is no issuer yet.'));
    },
  });

  addCommand(group, host, {
    usage: 'show <issuer>',
    summary: 'show an issuer and its mappings',
    example: 'issuer show github',
    async run({ args: [name = ''], output, api }) {
      const issuer = await api().get<IssuerAnswer>(route`/issuers/${name}`);
      output.answer(issuer, () => issuerFacts(output, issuer));
    },
  });

  addCommand<ChangeOptions>(group, host, {
    usage: 'update <issuer>',
    summary: 'change what is named, and leave the rest; mappings are given all at once',
    example: 'issuer update github --map "ci sub=repo:acme/shop:*" --map "docs sub=repo:acme/docs:*"',
    options: (command) =>
      addIssuerOptions(command)
        .option('--rename <name>', 'another name')
        .option('--discover', 'take its keys from where its discovery document says')
        .option('--without-mappings', 'let its claims stand for no identity; policies may still be for them'),
    async run({ options, args: [name = ''], output, api }) {
      const change = {
        ...(await issuerSettings(options)),
        ...(options.rename !== undefined && { name: options.rename }),
        ...(options.discover && { jwks_url: null, jwks: null }),
        ...(options.withoutMappings && { mappings: [] }),
      };
      if (Object.keys(change).length === 0) throw new KeyferryError('usage_invalid', 'Nothing to change was named.');
      const changed = await api().patch<IssuerAnswer>(route`/issuers/${name}`, change);
      output.answer(changed, () => issuerFacts(output, changed));
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'remove <issuer>',
    summary: 'remove an issuer: its tokens are nobody’s, and no policy means them any more',
    example: 'issuer remove github',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      await confirm(output, options.yes, `Remove the issuer "${name}"? Its tokens are nobody’s then.`);
      const removed = await client.delete<RemovedByName>(route`/issuers/${name}`);
      output.answer(removed, () => `Removed ${removed.name}.`);
    },
  });
}
