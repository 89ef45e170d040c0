import { type ConnectionSettings, connectionSettings } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { EgressPolicy } from '@keyferry/egress';
import { type AmbientIdentity, type VaultRegistry, vaultOfKind } from '@keyferry/vaults';
import { isAllowedFile, readAllowedFile, refusedFile } from './allowed-files.ts';
import {
  type CredentialKey,
  type CredentialKeys,
  type CredentialSources,
  parseCredentialsPath,
  sourcesOf,
  versionOf,
} from './credential-sources.ts';
import {
  type Generation,
  keyText,
  type ReferenceReader,
  readVariable,
  resolveReferences,
} from './resolve-references.ts';

type Members = Record<string, unknown>;

/** Which vaults there are, and what of the operator's the settings of backends may refer to. */
export interface SettingsOptions {
  registry: VaultRegistry;
  /** Variables that a backend's credentials may refer to: names, or names ending in `*`. */
  allowedEnvironment: readonly string[];
  environment: NodeJS.ProcessEnv;
  /** Files that they may name: absolute paths, or ones ending in `*`. */
  allowedFiles: readonly string[];
  /** Clouds whose identity of this machine they may use. */
  allowedIdentities: readonly AmbientIdentity[];
  /** Where vaults may be. */
  allowedVaults: EgressPolicy;
}

/** Whose settings they are, and how the tenant's keys are read. */
export interface SettingsOwner {
  /** The backend's id, where it has one already. */
  id: string | null;
  keys: CredentialKeys;
}

export interface ResolvedSettings {
  /** As the vault's schema gives them. */
  config: unknown;
  connection: ConnectionSettings;
  sources: CredentialSources;
  /** Changes when what was read from the sources does. */
  version: string;
}

/**
 * Settings of a kind as its vault takes them: credentials read from where they are, references under `auth` resolved, all
 * of it checked and completed with defaults.
 * Rejects with `backend_kind_unknown`, `reference_*`, `credentials_cycle`, or `config_invalid`.
 */
export async function resolveSettings(
  kind: string,
  settings: unknown,
  owner: SettingsOwner,
  options: SettingsOptions,
  generation: Generation = 'current',
): Promise<ResolvedSettings> {
  const definition = vaultOfKind(options.registry, kind);
  const { connection, own } = splitSettings(settings);
  const given = own.auth;
  const sources = sourcesOf(connection.credentials_path, given);
  // Before anything is read: what changes meanwhile is noticed later.
  const version = await versionOf(sources, owner.keys);
  const reader = readerOf(owner, options);
  const resolved = await resolveReferences(given, reader, generation);
  const auth =
    connection.credentials_path === undefined
      ? resolved
      : await withDocument(
          connection.credentials_path,
          resolved,
          (method, text) => definition.credentials(method, text),
          reader,
          options,
          generation,
        );
  const config = validateSettings(options.registry, kind, { ...own, auth });

  const file = definition.files?.(config).find((name) => !isAllowedFile(name, options.allowedFiles));
  if (file !== undefined)
    // What a variable or a key holds may be secret, also where it was put in the place of a path.
    throw refusedFile(
      mentions(given, file) || !mentions(auth, file) ? `the file ${file}` : 'the file that a reference leads to',
    );
  const identity = definition.ambient?.(config).find((cloud) => !options.allowedIdentities.includes(cloud));
  if (identity !== undefined)
    throw new KeyferryError(
      'reference_refused',
      `The operator does not allow backends to use this machine’s own identity in ${identity}.`,
      { failureClass: 'unauthenticated' },
    );
  return { config, connection, sources, version };
}

/** Apart: what the connection takes of settings, under one name each, and what the vault takes. */
export function splitSettings(settings: unknown): { connection: ConnectionSettings; own: Members } {
  const { credentials_path, auth_config_path, calls_per_second, parallelism, ...own } = isObject(settings)
    ? settings
    : {};
  const parsed = connectionSettings.safeParse({ credentials_path, auth_config_path, calls_per_second, parallelism });
  if (!parsed.success) throw invalidSettings(parsed.error.issues);
  return { connection: parsed.data, own };
}

function readerOf({ id, keys }: SettingsOwner, options: SettingsOptions): ReferenceReader {
  // Many fragments of one key cost one read.
  const read = new Map<string, Promise<CredentialKey>>();
  return {
    environment: (variable) => readVariable(variable, options.environment, options.allowedEnvironment),
    async key(localPath) {
      const pending = read.get(localPath) ?? keys.read(localPath);
      read.set(localPath, pending);
      const key = await pending;
      if (id === null || key.backendId !== id) return key;
      throw new KeyferryError(
        'credentials_cycle',
        `The credentials in "${localPath}" can’t be used: that key comes from the backend itself.`,
        { failureClass: 'unauthenticated' },
      );
    },
  };
}

/** `auth` with the members that the document gives. What is given in both places is refused. */
async function withDocument(
  credentialsPath: string,
  auth: unknown,
  membersOf: (method: string, text: string) => Members,
  reader: ReferenceReader,
  options: SettingsOptions,
  generation: Generation,
): Promise<Members> {
  const text = await readDocument(credentialsPath, reader, options, generation);
  const given = isObject(auth) ? auth : {};
  const method = given.method ?? methodIn(text);
  if (typeof method !== 'string')
    throw new KeyferryError('config_invalid', 'The settings can’t be used. auth.method: say how to log in.', {
      details: { fields: ['auth.method'] },
    });
  const { method: own, ...members } = membersOf(method, text);
  if (own !== undefined && own !== method)
    throw new KeyferryError(
      'config_invalid',
      'The settings can’t be used. auth.method: what credentials_path names is for another method.',
      { details: { fields: ['auth.method'] } },
    );
  const twice = Object.keys(members).find((name) => Object.hasOwn(given, name));
  if (twice !== undefined)
    throw new KeyferryError(
      'config_invalid',
      `The settings can’t be used. auth.${twice}: it is given here and by credentials_path, leave one of them out.`,
      { details: { fields: [`auth.${twice}`] } },
    );
  return { ...given, method, ...members };
}

async function readDocument(
  credentialsPath: string,
  reader: ReferenceReader,
  { allowedFiles }: SettingsOptions,
  generation: Generation,
): Promise<string> {
  const document = parseCredentialsPath(credentialsPath);
  switch (document.kind) {
    case 'file':
      return await readAllowedFile(document.file, allowedFiles);
    case 'environment':
      return reader.environment(document.variable);
    case 'key':
      return keyText(await reader.key(document.path), document, generation);
  }
}

/** A document may say by itself how to log in. */
function methodIn(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed.method : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null;

const mentions = (value: unknown, text: string) => JSON.stringify([value]).includes(JSON.stringify(text));

/**
 * Settings of a kind, checked and completed with defaults. Throws `backend_kind_unknown`, or `config_invalid` with
 * every field that is wrong and how to mend it; never with a value, since any of them may be a secret.
 */
export function validateSettings(registry: VaultRegistry, kind: string, settings: unknown): unknown {
  const parsed = vaultOfKind(registry, kind).configSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  throw invalidSettings(parsed.error.issues);
}

function invalidSettings(issues: readonly { path: PropertyKey[]; message: string }[]): KeyferryError {
  const problems = issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
  return new KeyferryError('config_invalid', `The settings can’t be used. ${problems.join('; ')}.`, {
    details: { fields: issues.map(({ path }) => path.join('.')) },
  });
}
