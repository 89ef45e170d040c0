import type { Command } from 'commander';
import { addCommand, type Host } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { reportError } from '../output/report-error.ts';
import type { UpOptions } from '../up/settings.ts';

const environmentHelp = `
Environment:
  VAULT_ADDR, VAULT_TOKEN       work on this vault in place of the demo one; VAULT_NAMESPACE and VAULT_CACERT too
  KEYFERRY_SYNC_PATHS           what to carry from it, a JSON array (default: ["bifrost/*"])
  DATABASE_URL, REDIS_URL       use these in place of embedded ones; DATABASE_OWNER_URL for migrations
  KEYFERRY_HOME                 folder for data, keys and logs (default: .keyferry in the checkout)
  KEYFERRY_MASTER_KEY(_FILE)    master key, 32 bytes in base64 (default: master.key in that folder)
  KEYFERRY_API_HOST, KEYFERRY_API_PORT   where the API listens (default: 127.0.0.1:8420)

Ctrl-C lets workers finish what they are at, then stops the databases. Exit code 1 if it could not start, or with --once
if the cycle failed; 130 if it was interrupted before that.`;

export function upCommand(program: Command, host: Host): void {
  const command = addCommand<UpOptions>(program, host, {
    usage: 'up',
    summary: 'run everything here, with an embedded Postgres and Redis and a demo vault',
    example: 'up --once',
    options: (command) =>
      command
        .option('--once', 'end after one cycle')
        .option('--all-vaults', 'four demo vaults, one of each kind, and a backend for each')
        .option('--mount <path>', 'mount to carry from, of the vault that VAULT_ADDR names (default: secret)')
        .option('--allow-http', 'let tokens and secrets travel unencrypted to it'),
    async run({ options, output, env }) {
      const { up } = await import('../up/up.ts');
      try {
        return await up(options, output, env);
      } catch (error) {
        // Whatever it is, it did not start: one code for scripts.
        reportError(output.io, output.json, error);
        return exitCodes.failed;
      }
    },
  });
  command.addHelpText('after', environmentHelp);
}
