import type { PolicyAnswer, PolicyChecked, RemovedByName } from '@keyferry/contracts';
import { KeyferryError, pathPermissions } from '@keyferry/core';
import { Argument, type Command } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, collect, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { exitCodes } from '../exit-codes.ts';
import { printable } from '../output/printable.ts';
import { explainCheck, policyFacts, policyTable } from '../policies/describe.ts';

interface PolicyOptions {
  path?: string;
  allow?: string[];
  identity?: string[];
  issuer?: string;
  claim?: string[];
  from?: string[];
  until?: string;
}

interface ChangeOptions extends PolicyOptions {
  rename?: string;
  fromAnywhere?: boolean;
  forEver?: boolean;
}

function addPolicyOptions(command: Command): Command {
  return command
    .option('--path <glob>', 'local paths it is of, such as team-7/**')
    .option('--allow <permission>', `${pathPermissions.join(', ')}; repeat for more`, collect)
    .option('--identity <identity>', 'whom it is for; repeat for more', collect)
    .option('--issuer <issuer>', 'or whoever brings a token of this issuer with the claims')
    .option('--claim <name=value>', 'what the token has to say, such as sub=deploy-*; repeat for more', collect)
    .option('--from <network>', 'where requests have to come from, such as 10.0.0.0/8; repeat for more', collect)
    .option('--until <time>', 'when it ends, such as 2030-01-31T12:00:00Z');
}

/** Says who may do what with which paths. */
export function policyCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'policy', 'say who may do what with which keys');

  addCommand<PolicyOptions>(group, host, {
    usage: 'create <name>',
    summary: 'let somebody do something; it counts within seconds',
    example: "policy create shop-reads --path 'shop/**' --allow read --identity shop",
    options: addPolicyOptions,
    async run({ options, args: [name = ''], output, api }) {
      const made = await api().post<PolicyAnswer>('/policies', { name, ...policySettings(options) });
      output.answer(made, () => policyFacts(output, made));
    },
  });

  addCommand<{ limit: number }>(group, host, {
    usage: 'list',
    summary: 'list the policies',
    example: 'policy list',
    options: (command) => command.option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { limit }, output, api }) {
      const page = await readPages<PolicyAnswer>(api(), '/policies', limit);
      output.answer(page, () => (page.items.length > 0 ? policyTable(output, page.items) : 'There is no policy yet.'));
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand(group, host, {
    usage: 'show <policy>',
    summary: 'show a policy',
    example: 'policy show shop-reads',
    async run({ args: [name = ''], output, api }) {
      const policy = await api().get<PolicyAnswer>(route`/policies/${name}`);
      output.answer(policy, () => policyFacts(output, policy));
    },
  });

  addCommand<ChangeOptions>(group, host, {
    usage: 'update <policy>',
    summary: 'change what is named, and leave the rest; whom it is for is replaced as a whole',
    example: 'policy update shop-reads --from 10.0.0.0/8',
    options: (command) =>
      addPolicyOptions(command)
        .option('--rename <name>', 'another name')
        .option('--from-anywhere', 'wherever requests come from')
        .option('--for-ever', 'without an end'),
    async run({ options, args: [name = ''], output, api }) {
      const change = {
        ...policySettings(options),
        ...(options.rename !== undefined && { name: options.rename }),
        ...(options.fromAnywhere && { ip_ranges: [] }),
        ...(options.forEver && { expires_at: null }),
      };
      if (Object.keys(change).length === 0) throw new KeyferryError('usage_invalid', 'Nothing to change was named.');
      const changed = await api().patch<PolicyAnswer>(route`/policies/${name}`, change);
      output.answer(changed, () => policyFacts(output, changed));
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'remove <policy>',
    summary: 'remove a policy: what it granted is granted no more',
    example: 'policy remove shop-reads',
    options: (command) => command.option('-y, --yes', 'don’t ask'),
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      await confirm(output, options.yes, `Remove the policy "${printable(name)}"?`);
      const removed = await client.delete<RemovedByName>(route`/policies/${name}`);
      output.answer(removed, () => `Removed ${removed.name}.`);
    },
  });

  addCommand<{ address?: string }>(group, host, {
    usage: 'check',
    summary: 'tell whether an identity may do something, and why, or why not; ends with 1 where it may not',
    example: 'policy check shop read shop/stripe/live --address 10.1.2.3',
    options: (command) =>
      command
        .argument('<identity>')
        .addArgument(new Argument('<permission>').choices(pathPermissions))
        .argument('<path>')
        .option('--address <address>', 'where the request would come from'),
    async run({ options: { address }, args: [identity = '', permission = '', path = ''], output, api }) {
      const question = { identity, permission, path };
      const checked = await api().post<PolicyChecked>('/policies/check', { ...question, ...(address && { address }) });
      output.answer(checked, () => explainCheck(question, checked));
      return checked.granted ? exitCodes.ok : exitCodes.failed;
    },
  });
}

function policySettings(options: PolicyOptions): Record<string, unknown> {
  const settings = {
    path_glob: options.path,
    permissions: options.allow,
    bindings: bindingsOf(options),
    ip_ranges: options.from,
    expires_at: options.until,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** Undefined where nobody is named. */
function bindingsOf({ identity = [], issuer, claim = [] }: PolicyOptions): object[] | undefined {
  if ((issuer === undefined) !== (claim.length === 0))
    throw new KeyferryError('usage_invalid', '--issuer and --claim belong together.');
  const claims = Object.fromEntries(claim.map(claimOf));
  const bindings = [...identity.map((name) => ({ identity: name })), ...(issuer ? [{ issuer, claims }] : [])];
  return bindings.length > 0 ? bindings : undefined;
}

function claimOf(text: string): [string, string] {
  const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new KeyferryError('usage_invalid', `"${text}" is no claim: write name=value.`);
  return [name, value];
}
