import { isObject, KeyferryError } from '@keyferry/core';
import type { Io } from '../output/output.ts';
import { createInputReader, type InputReader, readSecret } from '../read-secret.ts';
import type { BackendOptions } from './backend-options.ts';
import { readText, setMembers } from './set-members.ts';

type Members = Record<string, unknown>;

/**
 * The settings that options and `--config` say, as the API takes them. What isn't said is left out. They are checked by
 * the API alone. Throws `usage_invalid`.
 */
export async function backendSettings(io: Io, options: BackendOptions): Promise<Members> {
  const input = createInputReader(io);
  const given = options.config === undefined ? {} : await readDocument(input, options.config);
  const config = given.config ?? {};
  if (!isObject(config)) throw new KeyferryError('usage_invalid', 'config in the settings is not an object.');
  const auth = await authOf(io, input, options);
  const named = { ...config, ...(await vaultOf(options)), ...(auth && { auth }) };
  const ownConfig = await setMembers(io, input, named, options.set ?? []);
  return {
    ...given,
    ...present({
      kind: options.kind,
      prefix: options.prefix,
      sync_paths: options.syncPath,
      exclude_paths: options.excludePath,
      path_mapping: options.map?.map(mappingRule),
      mode: options.mode,
      access_mode: options.accessMode,
      writes: options.writes,
      conflict_policy: options.conflictPolicy,
      required: options.required,
      cache_ttl: options.cacheTtl,
      max_stale: options.maxStale,
      cache_rules: await rulesIn(options.cacheRules),
      sync_interval: options.interval,
      auto_deprecate: options.autoDeprecate,
      backup_deprecated_keys: options.backup,
      grace_period: options.gracePeriod,
      retain_archived: options.retainArchived,
      rotation_overlap: options.rotationOverlap,
      archive_reminders: options.archiveReminder,
      expiry_reminders: options.expiryReminder,
      lifecycle_rules: await rulesIn(options.lifecycleRules),
      validation_rules: await rulesIn(options.validationRules),
      guard_percent: options.guardPercent,
      guard_at_least: options.guardAtLeast,
      max_versions: options.maxVersions,
      version_history: options.versionHistory,
      state: options.state,
    }),
    ...(Object.keys(ownConfig).length > 0 && { config: ownConfig }),
  };
}

async function vaultOf(options: BackendOptions): Promise<Members> {
  const tls = present({
    ca_cert: options.caCert && (await readText(options.caCert)),
    server_name: options.tlsServerName,
  });
  return present({
    address: options.address,
    mount: options.mount,
    namespace: options.namespace,
    // Anything but a number is refused by the API, in its words.
    kv_version: options.kvVersion && (Number(options.kvVersion) || options.kvVersion),
    allow_http: options.allowHttp,
    credentials_path: options.credentialsPath,
    tls: Object.keys(tls).length > 0 ? tls : undefined,
  });
}

/** Undefined if no option speaks of credentials. The method need not be said where an option implies it. */
async function authOf(io: Io, input: InputReader, options: BackendOptions): Promise<Members | undefined> {
  const secret = async (given: string | undefined, what: string) =>
    given === undefined ? undefined : await readSecret(io, input, given, what);
  const members = present({
    token: await secret(options.token, 'token'),
    role_id: options.roleId,
    secret_id: await secret(options.secretId, 'secret id'),
    wrapped_secret_id: await secret(options.wrappedSecretId, 'wrapped secret id'),
    role: options.role,
    jwt_path: options.jwtPath,
    mount_path: options.authMount,
    client_cert: options.clientCert && (await readText(options.clientCert)),
    client_key: options.clientKey && (await readText(options.clientKey)),
  });
  const method = options.auth ?? impliedMethod(options);
  if (method) return { method, ...members };
  if (Object.keys(members).length === 0) return undefined;
  throw new KeyferryError('usage_invalid', 'The options for credentials need --auth to say which method they are for.');
}

function impliedMethod({ token, roleId, role }: BackendOptions): string | undefined {
  if (token !== undefined) return 'token';
  if (roleId !== undefined) return 'approle';
  return role === undefined ? undefined : 'kubernetes';
}

/** `<local>=<remote>`, and `=proxy` or `=sync` where its mode differs from the backend's. */
function mappingRule(text: string): { from: string; to: string; mode?: string } {
  const [from, to, mode, ...rest] = text.split('=');
  if (!from || !to || mode === '' || rest.length > 0)
    throw new KeyferryError(
      'usage_invalid',
      `--map "${text}" is not <local>=<remote> or <local>=<remote>=<mode>; use --config for names with "=".`,
    );
  return { from, to, ...(mode !== undefined && { mode }) };
}

async function readDocument(input: InputReader, file: string): Promise<Members> {
  const text = file === '-' ? await input.read('the settings') : await readText(file);
  const name = file === '-' ? 'Standard input' : file;
  const document = parsed(text, name);
  if (!isObject(document)) throw new KeyferryError('usage_invalid', `${name} is not a JSON object.`);
  return document;
}

/** Undefined if there is no such file named. What the rules say is checked by the API. */
async function rulesIn(file: string | undefined): Promise<unknown[] | undefined> {
  if (file === undefined) return undefined;
  const rules = parsed(await readText(file), file);
  if (!Array.isArray(rules)) throw new KeyferryError('usage_invalid', `${file} is not a JSON array of rules.`);
  return rules;
}

function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KeyferryError('usage_invalid', `${name} is not JSON.`);
  }
}

/** Without what is undefined or empty text. */
function present(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined && value !== ''));
}
