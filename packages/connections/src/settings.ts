import { KeyferryError } from '@keyferry/core';
import { type VaultRegistry, vaultOfKind } from '@keyferry/vaults';
import { isAllowedFile, refusedFile } from './allowed-files.ts';
import { resolveReferences } from './references.ts';

/** Which vaults there are, and what of the operator's the settings of backends may refer to. */
export interface SettingsOptions {
  registry: VaultRegistry;
  /** Variables that a backend's credentials may refer to: names, or names ending in `*`. */
  allowedEnvironment: readonly string[];
  environment: NodeJS.ProcessEnv;
  /** Files that they may name: absolute paths, or ones ending in `*`. */
  allowedFiles: readonly string[];
}

/**
 * Settings of a kind as its vault takes them: references under `auth` resolved, checked, completed with defaults.
 * Throws `backend_kind_unknown`, `reference_*`, or `config_invalid`.
 */
export function resolveSettings(kind: string, settings: unknown, options: SettingsOptions): unknown {
  const { registry, environment, allowedEnvironment, allowedFiles } = options;
  const given = isObject(settings) ? settings.auth : undefined;
  const auth = resolveReferences(given, environment, allowedEnvironment);
  const config = validateSettings(registry, kind, isObject(settings) ? { ...settings, auth } : settings);
  const named = vaultOfKind(registry, kind).files?.(config) ?? [];
  const refused = named.find((file) => !isAllowedFile(file, allowedFiles));
  if (refused === undefined) return config;
  // What a variable holds may be secret, also where it was put in the place of a path.
  const fromReference = mentions(auth, refused) && !mentions(given, refused);
  throw refusedFile(fromReference ? 'the file that a reference leads to' : `the file ${refused}`);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const mentions = (value: unknown, text: string) => JSON.stringify([value]).includes(JSON.stringify(text));

/**
 * Settings of a kind, checked and completed with defaults. Throws `backend_kind_unknown`, or `config_invalid` with
 * every field that is wrong and how to mend it; never with a value, since any of them may be a secret.
 */
export function validateSettings(registry: VaultRegistry, kind: string, settings: unknown): unknown {
  const parsed = vaultOfKind(registry, kind).configSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const field = issue.path.join('.');
    return field === '' ? issue.message : `${field}: ${issue.message}`;
  });
  throw new KeyferryError('config_invalid', `The settings can’t be used. ${problems.join('; ')}.`, {
    details: { fields: parsed.error.issues.map((issue) => issue.path.join('.')) },
  });
}
