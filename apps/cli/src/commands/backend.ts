import type {
  BackendAnswer,
  BackendList,
  BackendPreview,
  BackendRemoved,
  BackendStatus,
  BackendTest,
  RemovalHeld,
  RemovalPreview,
} from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { Command } from 'commander';
import { route } from '../api/route.ts';
import { backendFacts, backendTable } from '../backends/describe.ts';
import { isLoss, previewText } from '../backends/preview.ts';
import { addCommand, addGroup, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { plural } from '../output/format.ts';
import { printable } from '../output/printable.ts';
import { addBackendOptions, type BackendOptions } from './backend-options.ts';
import { backendSettings } from './backend-settings.ts';

const backends = '/federation/backends';

export function backendCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'backend', 'register vaults, and see how they are doing');

  addCommand<BackendOptions>(group, host, {
    usage: 'add <name>',
    summary: 'register a vault; its first cycle is due at once',
    example: 'backend add team --address https://vault.example.com:8200 --token env.VAULT_TOKEN',
    options: (command) =>
      addBackendOptions(command).option('--kind <kind>', 'hashicorp, aws, gcp or azure (default: hashicorp)'),
    async run({ options, args: [name = ''], output, next, api }) {
      const settings = { kind: 'hashicorp', ...(await backendSettings(output.io, options)), name };
      const added = await api().post<BackendAnswer>(backends, settings);
      output.answer(added, () => backendFacts(output, added));
      output.note(`\nNext: ${next(`backend test ${added.name}`)}, or ${next(`sync ${added.name} --wait`)}.`);
    },
  });

  addCommand(group, host, {
    usage: 'list',
    summary: 'list the backends and how they are doing',
    example: 'backend list',
    async run({ output, api }) {
      const { items } = await api().get<BackendList>(backends);
      const known = await Promise.all(
        items.map(async (backend) => ({ ...backend, status: await statusOf(api(), backend.id) })),
      );
      output.answer({ items: known }, () =>
        known.length > 0 ? backendTable(output, known) : 'There is no backend yet.',
      );
    },
  });

  addCommand(group, host, {
    usage: 'show <backend>',
    summary: 'show a backend’s settings, without credentials, and how it is doing',
    example: 'backend show team',
    async run({ args: [name = ''], output, api }) {
      const backend = await api().get<BackendAnswer>(route`/federation/backends/${name}`);
      const status = await statusOf(api(), backend.id);
      output.answer({ ...backend, status }, () => backendFacts(output, backend, status));
    },
  });

  addCommand<BackendOptions & UpdateOptions>(group, host, {
    usage: 'update <backend>',
    summary: 'change what is named, and leave the rest; a cycle is due at once',
    example: 'backend update team --interval 15m --exclude-path "bifrost/tmp/*"',
    options: (command) =>
      addBackendOptions(command)
        .option('--rename <name>', 'another name')
        .option('--accept-container', 'take what the vault shows next for its own, though it is another than before')
        .option('--dry-run', 'say what it would do to the keys there are, and change nothing')
        .option('-y, --yes', 'don’t ask, even if keys would go'),
    async run({ options, args: [name = ''], output, api }) {
      const change = await backendSettings(output.io, options);
      if (options.rename !== undefined) change.name = options.rename;
      if (options.acceptContainer) change.accept_container = true;
      if (Object.keys(change).length === 0) throw new KeyferryError('usage_invalid', 'Nothing to change was named.');
      const path = route`/federation/backends/${name}`;
      const preview = await api().patch<BackendPreview>(path, change, { dry_run: true });
      if (options.dryRun) {
        output.answer(preview, () => previewText(output, preview));
        return;
      }
      if (isLoss(preview)) {
        output.note(previewText(output, preview));
        await confirm(output, options.yes, `Change "${preview.backend}" all the same?`);
      }
      const changed = await api().patch<BackendAnswer>(path, change);
      output.answer(changed, () => backendFacts(output, changed));
    },
  });

  addCommand(group, host, {
    usage: 'test <backend>',
    summary: 'ask the vault now whether it answers, lets us in, and has the mount, project or account',
    example: 'backend test team',
    async run({ args: [name = ''], output, api }) {
      const test = await api().post<BackendTest>(route`/federation/backends/${name}/test`);
      output.answer(test, () => {
        const server = `The vault${test.server ? ` (${printable(test.server)})` : ''}`;
        const called = test.container_id === null ? '' : ` (${printable(test.container_id)})`;
        const mount =
          test.container === 'present'
            ? `its container${called} is there`
            : 'whether its container is there can’t be told';
        const refused = test.credentials_refused === null ? '' : ` ${printable(test.credentials_refused)}`;
        return `${server} answered in ${Math.round(test.latency_ms)} ms; ${mount}.${refused}`;
      });
    },
  });

  addCommand<{ write?: boolean }>(group, host, {
    usage: 'policy <kind>',
    summary: 'print the least that a vault has to allow the backend’s identity',
    example: 'backend policy aws',
    options: (command) => command.option('--write', 'for backends that write as well'),
    async run({ options, args: [kind = ''], output }) {
      const { builtInVaults, vaultOfKind } = await import('@keyferry/vaults');
      const { policies } = vaultOfKind(builtInVaults, kind);
      const policy = options.write ? policies.read_and_write : policies.read_only;
      output.answer({ kind, access: options.write ? 'read_and_write' : 'read_only', policy }, () => policy.trimEnd());
    },
  });

  addCommand<{ archiveKeys?: boolean; dryRun?: boolean; yes?: boolean }>(group, host, {
    usage: 'remove <backend>',
    summary: 'remove a backend; one with many keys waits for `keyferry held approve`',
    example: 'backend remove team --archive-keys',
    options: (command) =>
      command
        .option('--archive-keys', 'archive its keys; without it, a backend that has some is not removed')
        .option('--dry-run', 'say what it would do, and change nothing')
        .option('-y, --yes', 'don’t ask'),
    async run({ options, args: [name = ''], output, api }) {
      const client = api();
      const path = route`/federation/backends/${name}`;
      if (options.dryRun) {
        const preview = await client.delete<RemovalPreview>(path, { dry_run: true });
        const held = preview.would_hold ? ' So many wait for `keyferry held approve`.' : '';
        output.answer(preview, () => `${plural(preview.live_keys, 'key')} would be archived.${held}`);
        return;
      }
      await confirm(
        output,
        options.yes,
        `Remove the backend "${name}"${options.archiveKeys ? ' and archive its keys' : ''}?`,
      );
      const result = await client.delete<BackendRemoved | RemovalHeld>(path, {
        archive_keys: options.archiveKeys === true,
      });
      output.answer(result, () =>
        'held' in result
          ? `${result.held.backend} has ${plural(result.held.keys, 'live key')}: \`keyferry held approve ${result.held.id}\` removes it.`
          : `Removed ${result.name}; ${plural(result.archived_keys, 'key')} archived.`,
      );
    },
  });
}

interface UpdateOptions {
  rename?: string;
  acceptContainer?: boolean;
  dryRun?: boolean;
  yes?: boolean;
}

function statusOf(api: { get<T>(path: string): Promise<T> }, id: string): Promise<BackendStatus> {
  return api.get(route`/federation/backends/${id}/status`);
}
