import type { RevokedAnswer, UnrevokedAnswer } from '@keyferry/contracts';
import type { Command } from 'commander';
import { addCommand, type Host } from '../command.ts';
import { confirm } from '../confirm.ts';
import { plural } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';

interface RevokeOptions {
  reason: string;
  exact?: boolean;
  yes?: boolean;
  dryRun?: boolean;
}

export function revocationCommands(group: Command, host: Host): void {
  addCommand<RevokeOptions>(group, host, {
    usage: 'revoke <path>',
    summary: 'take a key out of use at once, or all that a glob matches, until somebody lifts it',
    example: 'keys revoke "bifrost/openai/**" --reason "leaked in a log"',
    options: (command) =>
      command
        .requiredOption('--reason <text>', 'why; it is told and kept')
        .option('--exact', 'that it is a path alone, though it has signs of a glob')
        .option('-y, --yes', 'don’t ask; without it a glob asks first')
        .option('--dry-run', 'say what would be revoked, and do nothing'),
    async run({ options: { reason, exact = false, yes, dryRun }, args: [path = ''], output, api }) {
      const request = { paths: [path], exact, reason };
      const look = () => api().post<RevokedAnswer>('/keys/revoke', { ...request, dry_run: true });
      if (dryRun) {
        const preview = await look();
        output.answer(preview, () => previewOf(preview));
        return;
      }
      const all = !exact && /[*?]/.test(path) && (await ask(output, yes, await look()));
      const revoked = await api().post<RevokedAnswer>('/keys/revoke', { ...request, all });
      output.answer(revoked, () => outcomeOf(revoked));
    },
  });

  addCommand<{ reason: string; exact?: boolean }>(group, host, {
    usage: 'unrevoke <path>',
    summary: 'let a revoked key come back, or all that a glob matches, once its vault is found to have it',
    example: 'keys unrevoke bifrost/openai/production --reason "false alarm"',
    options: (command) =>
      command
        .requiredOption('--reason <text>', 'why; it is told and kept')
        .option('--exact', 'that it is a path alone, though it has signs of a glob'),
    async run({ options: { reason, exact = false }, args: [path = ''], output, api }) {
      const lifted = await api().post<UnrevokedAnswer>('/keys/unrevoke', { paths: [path], exact, reason });
      output.answer(lifted, () => {
        const [it, comes] = lifted.count === 1 ? ['It', 'comes'] : ['They', 'come'];
        return `${plural(lifted.count, 'key')} no longer revoked. ${it} ${comes} back with the next cycle, if the vault still has ${it === 'It' ? 'it' : 'them'}.`;
      });
    },
  });
}

/** Asks about what a glob matches. Returns whether that is everything, which the person has then agreed to. */
async function ask(output: Output, yes: boolean | undefined, preview: RevokedAnswer): Promise<boolean> {
  output.note(previewOf(preview));
  const what = preview.everything
    ? `These ${preview.count} keys are ALL that are served: nothing would be served any more. Revoke every one of them?`
    : `Revoke ${plural(preview.count, 'key')}?`;
  await confirm(output, yes, what);
  return preview.everything;
}

function previewOf(preview: RevokedAnswer): string {
  const more = preview.count - preview.paths.length;
  return [
    `${plural(preview.count, 'key')} would be revoked${preview.count > 0 ? ':' : '.'}`,
    ...preview.paths.map((path) => `  ${printable(path)}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...dependents(preview),
  ].join('\n');
}

function outcomeOf(revoked: RevokedAnswer): string {
  const already = revoked.already_revoked > 0 ? ` ${revoked.already_revoked} had been already.` : '';
  return [`${plural(revoked.count, 'key')} revoked.${already}`, ...dependents(revoked)].join('\n');
}

const dependents = ({ credentials_of: names }: RevokedAnswer): string[] =>
  names.length > 0 ? [`The credentials of ${names.map(printable).join(', ')} are in these keys.`] : [];
