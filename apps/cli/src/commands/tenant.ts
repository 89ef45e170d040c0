import { type TenantAnswer, type TenantDetail, type TenantPatch, tenantStates } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { facts, table } from '../output/table.ts';

type Limit = number | 'none';

interface Limits {
  maxBackends?: Limit;
  maxKeys?: Limit;
  maxOpenCycles?: Limit;
}

const addLimits = (command: Command): Command =>
  command
    .option('--max-backends <number>', 'backends that it may have, or none for no limit', limit)
    .option('--max-keys <number>', 'keys that it may have, or none for no limit', limit)
    .option('--max-open-cycles <number>', 'cycles that are open at a time, or none for no limit', limit);

export function tenantCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'tenant', 'make, limit, suspend and delete tenants; for operators');

  addCommand<Limits>(group, host, {
    usage: 'create <name>',
    summary: 'make a tenant, which has nothing in common with the others',
    example: 'tenant create acme --max-backends 20',
    options: addLimits,
    async run({ options, args: [name = ''], output, api }) {
      const made = await api().post<TenantDetail>('/tenants', { name, ...limitsOf(options) });
      output.answer(made, () => tenantFacts(output, made));
      output.note(
        `\nNext: \`keyferry identity create <name> --tenant ${made.name}\`. --tenant says which tenant a command is for.`,
      );
    },
  });

  addCommand<{ state?: string; limit: number }>(group, host, {
    usage: 'list',
    summary: 'list the tenants',
    example: 'tenant list',
    options: (command) =>
      command
        .addOption(new Option('--state <state>', 'in this state (default: all but deleted)').choices(tenantStates))
        .option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { state, limit: most }, output, api }) {
      const list = await readPages<TenantAnswer>(api(), '/tenants', most, { state });
      output.answer(list, () => tenantTable(output, list.items));
    },
  });

  addCommand(group, host, {
    usage: 'show <tenant>',
    summary: 'show a tenant, what it may have and how much it has',
    example: 'tenant show acme',
    async run({ args: [name = ''], output, api }) {
      const tenant = await api().get<TenantDetail>(route`/tenants/${name}`);
      output.answer(tenant, () => tenantFacts(output, tenant));
    },
  });

  addCommand<Limits & { rename?: string }>(group, host, {
    usage: 'limit <tenant>',
    summary: 'change what a tenant may have, or its name; what it has beyond a limit stays',
    example: 'tenant limit acme --max-keys 50000',
    options: (command) => addLimits(command).option('--rename <name>', 'another name'),
    async run({ options: { rename, ...options }, args: [name = ''], output, api }) {
      const change: TenantPatch = { ...limitsOf(options), ...(rename !== undefined && { name: rename }) };
      if (Object.keys(change).length === 0) throw new KeyferryError('usage_invalid', 'Nothing to change was named.');
      const changed = await api().patch<TenantDetail>(route`/tenants/${name}`, change);
      output.answer(changed, () => tenantFacts(output, changed));
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'suspend <tenant>',
    summary: 'let a tenant rest: no request of its own is answered, and nothing is done for it; nothing is lost',
    example: 'tenant suspend acme',
    options: withYes,
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      await confirm(
        output,
        options.yes,
        `Suspend the tenant "${name}"? Its services read no secrets until it goes on.`,
      );
      const tenant = await client.post<TenantDetail>(route`/tenants/${name}/suspend`);
      output.answer(tenant, () => `${tenant.name} is suspended. Next: \`keyferry tenant resume ${tenant.name}\`.`);
    },
  });

  addCommand(group, host, {
    usage: 'resume <tenant>',
    summary: 'let a suspended tenant go on where it was',
    example: 'tenant resume acme',
    async run({ args: [name = ''], output, api }) {
      const tenant = await api().post<TenantDetail>(route`/tenants/${name}/resume`);
      output.answer(tenant, () => `${tenant.name} goes on.`);
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'delete <tenant>',
    summary: 'delete a tenant; one that has keys is suspended, and waits for a second word',
    example: 'tenant delete acme',
    options: withYes,
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      output.note(holdings(await client.get<TenantDetail>(route`/tenants/${name}`)));
      await confirm(output, options.yes, `Delete the tenant "${name}"?`);
      const tenant = await client.delete<TenantDetail>(route`/tenants/${name}`);
      output.answer(tenant, () =>
        tenant.state === 'deleted'
          ? goneText(tenant)
          : `${tenant.name} is suspended, and its deletion waits: \`keyferry tenant approve-deletion ${tenant.name}\`, or \`keyferry tenant reject-deletion ${tenant.name}\`.`,
      );
    },
  });

  addCommand<{ yes?: boolean }>(group, host, {
    usage: 'approve-deletion <tenant>',
    summary: 'delete it now: its data keys are destroyed, and nobody can open its values any more',
    example: 'tenant approve-deletion acme',
    options: withYes,
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      const before = await client.get<TenantDetail>(route`/tenants/${name}`);
      output.note(holdings(before));
      await confirm(output, options.yes, `Destroy all that "${name}" has here, for good? Its vaults stay as they are.`);
      const tenant = await client.post<TenantDetail>(route`/tenants/${name}/deletion/approve`);
      output.answer(tenant, () => goneText(tenant));
    },
  });

  addCommand(group, host, {
    usage: 'reject-deletion <tenant>',
    summary: 'keep the tenant, which stays suspended',
    example: 'tenant reject-deletion acme',
    async run({ args: [name = ''], output, api }) {
      const tenant = await api().post<TenantDetail>(route`/tenants/${name}/deletion/reject`);
      output.answer(tenant, () => `${tenant.name} stays, suspended. Next: \`keyferry tenant resume ${tenant.name}\`.`);
    },
  });
}

const withYes = (command: Command): Command => command.option('-y, --yes', 'don’t ask');

function limit(text: string): Limit {
  if (text === 'none') return text;
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It has to be a whole number, or none.');
  return Number(text);
}

const limitsOf = ({ maxBackends, maxKeys, maxOpenCycles }: Limits): TenantPatch => ({
  ...(maxBackends !== undefined && { max_backends: given(maxBackends) }),
  ...(maxKeys !== undefined && { max_keys: given(maxKeys) }),
  ...(maxOpenCycles !== undefined && { max_open_cycles: given(maxOpenCycles) }),
});

const given = (most: Limit): number | null => (most === 'none' ? null : most);

/** Its name is free: from now on it is named by its id. */
const goneText = ({ name, id }: TenantDetail) =>
  `${name} is deleted: its values can’t be opened any more. Its audit log is kept: \`keyferry audit list --tenant ${id}\`.`;

const holdings = ({ name, counts }: TenantDetail) =>
  `${name} has ${counts.backends} backends, ${counts.keys} keys and ${counts.open_cycles} open cycles.`;

function tenantTable(output: Output, tenants: readonly TenantAnswer[]): string {
  const now = new Date();
  return table(
    output,
    ['NAME', 'ID', 'STATE', 'SINCE', 'MAX BACKENDS', 'MAX KEYS', 'MAX OPEN CYCLES'],
    tenants.map((tenant) => [
      tenant.name,
      tenant.id,
      tenant.state,
      relative(tenant.state_changed_at, now),
      tenant.max_backends,
      tenant.max_keys,
      tenant.max_open_cycles,
    ]),
  );
}

function tenantFacts(output: Output, tenant: TenantDetail): string {
  const { counts } = tenant;
  const of = (has: number, most: number | null) => (most === null ? `${has}` : `${has} of ${most}`);
  return facts(output, [
    ['name', tenant.name],
    ['id', tenant.id],
    ['state', tenant.state],
    ['since', tenant.state_changed_at],
    ['backends', of(counts.backends, tenant.max_backends)],
    ['keys', of(counts.keys, tenant.max_keys)],
    ['open cycles', of(counts.open_cycles, tenant.max_open_cycles)],
    ['deletion wanted by', tenant.deletion_requested_by],
    ['purged at', tenant.purged_at],
  ]);
}
