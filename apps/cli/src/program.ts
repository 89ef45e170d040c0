import { Command } from 'commander';
import type { Host } from './command.ts';
import { auditCommands } from './commands/audit.ts';
import { backendCommands } from './commands/backend.ts';
import { backupsCommands } from './commands/backups.ts';
import { cacheCommands } from './commands/cache.ts';
import { channelCommands } from './commands/channel.ts';
import { conflictsCommands } from './commands/conflicts.ts';
import { cyclesCommands } from './commands/cycles.ts';
import { deliveriesCommands } from './commands/deliveries.ts';
import { demoCommands } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { eventsCommands } from './commands/events.ts';
import { heldCommands } from './commands/held.ts';
import { identityCommands } from './commands/identity.ts';
import { issuerCommands } from './commands/issuer.ts';
import { jobsCommands } from './commands/jobs.ts';
import { keysCommands } from './commands/keys.ts';
import { migrateCommand } from './commands/migrate.ts';
import { policyCommands } from './commands/policy.ts';
import { ruleCommands } from './commands/rule.ts';
import { runCommand } from './commands/run.ts';
import { secretsCommands } from './commands/secrets.ts';
import { syncCommand } from './commands/sync.ts';
import { tenantCommands } from './commands/tenant.ts';
import { tokenCommands } from './commands/token.ts';
import { upCommand } from './commands/up.ts';
import { whoamiCommand } from './commands/whoami.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { version } from './version.ts';

const environmentHelp = `Environment:
  KEYFERRY_URL     where Keyferry's API is (default: the one that \`keyferry up\` runs here)
  KEYFERRY_TOKEN   its token
  KEYFERRY_CA_FILE certificates of authorities to trust beside the usual ones
  KEYFERRY_TENANT  the tenant that commands are for, as --tenant says (default: the token’s own)
  NO_COLOR         no colours`;

/** Every command, in the order in which a newcomer meets them. */
export function createProgram(host: Host): Command {
  const { stdout, stderr } = host.io;
  const program = new Command('keyferry')
    .description('Carries API keys out of the vaults a company has into one encrypted, audited key store.')
    .version(version)
    .helpCommand(false)
    // `secrets get --version` is of a secret; what follows `run`'s program is the program's.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    })
    .addHelpText('after', `\nExample:\n  $ keyferry up`)
    .addHelpText('afterAll', `\n${environmentHelp}\n\n${exitCodesHelp}`);
  for (const add of [
    upCommand,
    demoCommands,
    backendCommands,
    syncCommand,
    cyclesCommands,
    secretsCommands,
    runCommand,
    cacheCommands,
    keysCommands,
    backupsCommands,
    heldCommands,
    conflictsCommands,
    eventsCommands,
    auditCommands,
    jobsCommands,
    channelCommands,
    ruleCommands,
    deliveriesCommands,
    identityCommands,
    tokenCommands,
    issuerCommands,
    policyCommands,
    whoamiCommand,
    tenantCommands,
    doctorCommand,
    migrateCommand,
  ])
    add(program, host);
  return program;
}
