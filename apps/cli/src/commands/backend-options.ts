import { accessModes, conflictPolicies, federationModes, writeModes } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { collect, count } from '../command.ts';

/** What `backend add` and `backend update` take. Absent means: the default, or as it is. */
export interface BackendOptions {
  config?: string;
  kind?: string;
  address?: string;
  mount?: string;
  namespace?: string;
  kvVersion?: string;
  caCert?: string;
  tlsServerName?: string;
  allowHttp?: boolean;
  auth?: string;
  set?: string[];
  credentialsPath?: string;
  token?: string;
  roleId?: string;
  secretId?: string;
  wrappedSecretId?: string;
  role?: string;
  jwtPath?: string;
  authMount?: string;
  clientCert?: string;
  clientKey?: string;
  prefix?: string;
  syncPath?: string[];
  excludePath?: string[];
  map?: string[];
  mode?: string;
  accessMode?: string;
  writes?: string;
  conflictPolicy?: string;
  required?: boolean;
  cacheTtl?: string;
  maxStale?: string;
  cacheRules?: string;
  interval?: string;
  gracePeriod?: string;
  retainArchived?: string;
  rotationOverlap?: string;
  archiveReminder?: string[];
  expiryReminder?: string[];
  lifecycleRules?: string;
  validationRules?: string;
  guardPercent?: number;
  guardAtLeast?: number;
  maxVersions?: number;
  versionHistory?: boolean;
  autoDeprecate?: boolean;
  backup?: boolean;
  state?: string;
}

export function addBackendOptions(command: Command): Command {
  return command
    .optionsGroup('What to carry:')
    .option(
      '--sync-path <glob>',
      'remote paths to carry; repeat for more (default: what --map names, else <prefix>/*)',
      collect,
    )
    .option('--exclude-path <glob>', 'remote paths to leave out; repeat for more', collect)
    .option('--prefix <path>', 'folder that the default sync path starts from (default: bifrost)')
    .option(
      '--map <local=remote[=mode]>',
      'globs of local and remote paths, with a mode where it differs; repeat for more, the first match wins',
      collect,
    )
    .option('--interval <duration>', 'from one cycle to the next, such as 300s (default: 300s)')
    .option('--auto-deprecate', 'deprecate keys that are gone from the vault (default)')
    .option('--no-auto-deprecate', 'keep them as they are')
    .option('--backup', 'keep an encrypted backup of what is deprecated (default)')
    .option('--no-backup', 'keep none')
    .option('--grace-period <duration>', 'from deprecated to archived (default: 24h)')
    .option('--retain-archived <duration>', 'from archived to purged (default: 90d)')
    .option(
      '--rotation-overlap <duration>',
      'how long the version before may still be read by its number (default: 0s)',
    )
    .option('--archive-reminder <duration>', 'so long before the archive people are told; repeat for more', collect)
    .option('--expiry-reminder <duration>', 'so long before the expiry people are told; repeat for more', collect)
    .option('--lifecycle-rules <file>', 'JSON file: what of these periods, and of rotate_every, differs by path')
    .option('--validation-rules <file>', 'JSON file: what values have to look like, by path')
    .option(
      '--guard-percent <number>',
      'over this share of its keys a person has to say that they may go (default: 20)',
      count,
    )
    .option('--guard-at-least <number>', 'and at least so many (default: 10)', count)
    .option('--max-versions <number>', 'how many versions of a value are kept (default: 10)', count)
    .option('--version-history', 'carry versions from before the first cycle too: a call each')
    .option('--no-version-history', 'carry what is current (default)')
    .addOption(new Option('--state <state>', 'a paused backend is not synced').choices(['active', 'paused']))
    .optionsGroup('Reading and writing through Keyferry:')
    .addOption(
      new Option('--mode <mode>', 'proxy asks the vault at each read and stores nothing (default: sync)').choices(
        federationModes,
      ),
    )
    .addOption(new Option('--access-mode <mode>', 'what Keyferry may do (default: read_only)').choices(accessModes))
    .addOption(new Option('--writes <mode>', 'what becomes of written values (default: disabled)').choices(writeModes))
    .addOption(
      new Option('--conflict-policy <policy>', 'who wins where both sides changed (default: backend_wins)').choices(
        conflictPolicies,
      ),
    )
    .option('--required', 'the API does not start while this vault can’t be reached')
    .option('--no-required', 'it does (default)')
    .option('--cache-ttl <duration>', 'how long a proxied value may be answered again (default: 0s)')
    .option('--max-stale <duration>', 'how long the last value is answered while the vault is away (default: 1h)')
    .option('--cache-rules <file>', 'JSON file: what of these two differs by path')
    .optionsGroup('Any vault:')
    .option(
      '--set <member=text>',
      'a member of the vault’s settings, such as region=eu-west-1 or auth.client_id=…; =@file for a file’s text, =- for a secret to be asked for, := for JSON; repeat for more',
      collect,
    )
    .option(
      '--credentials-path <path>',
      'where the credentials are kept: a key of Keyferry’s, env.<VAR>, or a file on the workers’ machine',
    )
    .option('--auth <method>', 'how to log in; docs/backends has the methods of each vault')
    .optionsGroup('HashiCorp Vault and OpenBao:')
    .option('--address <url>', 'such as https://vault.example.com:8200')
    .option('--mount <path>', 'mount of the key-value engine (default: secret)')
    .option('--namespace <path>', 'namespace of the mount')
    .option('--kv-version <version>', '1 or 2 (default: detected)')
    .option('--ca-cert <file>', 'PEM file of the authority that signed its certificate')
    .option('--tls-server-name <name>', 'name in its certificate, if it is not that of the address')
    .option('--allow-http', 'let tokens and secrets travel unencrypted')
    .optionsGroup(
      'Credentials for them (a secret is its value, env.<VAR>, or - to be asked for it or read it from stdin):',
    )
    .option('--token <secret>', 'for token')
    .option('--role-id <id>', 'for approle')
    .option('--secret-id <secret>', 'for approle')
    .option('--wrapped-secret-id <secret>', 'for approle, in place of --secret-id')
    .option('--role <name>', 'for kubernetes')
    .option('--jwt-path <file>', 'for kubernetes: the service account token, on the workers’ machine')
    .option('--auth-mount <path>', 'where the auth method is mounted (default: its name)')
    .option('--client-cert <file>', 'PEM file, for mutual TLS')
    .option('--client-key <file>', 'PEM file, for mutual TLS')
    .optionsGroup('Options:')
    .option('--config <file>', 'the settings as JSON, as the API takes them; - for stdin; options win over it');
}
