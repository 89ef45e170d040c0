import { KeyferryError, parseReference, textOf } from '@keyferry/core';
import type { CredentialKey } from './credential-sources.ts';

/** How references are followed. Both throw or reject as `resolveReferences` does. */
export interface ReferenceReader {
  environment(variable: string): string;
  key(localPath: string): Promise<CredentialKey>;
}

/** Which value of a key is meant. */
export type Generation = 'current' | 'previous';

/**
 * Replaces `env.<VAR>`, `vault.<path>` and `vault.<path>#<field>` by what they name, in every string of the settings'
 * `auth`. Every other string is the value itself.
 *
 * Rejects with `reference_invalid`, `reference_refused`, or `reference_unresolved`.
 */
export async function resolveReferences(
  auth: unknown,
  reader: ReferenceReader,
  generation: Generation,
): Promise<unknown> {
  if (typeof auth === 'string') return await resolveText(auth, reader, generation);
  if (Array.isArray(auth)) return await Promise.all(auth.map((item) => resolveReferences(item, reader, generation)));
  if (typeof auth !== 'object' || auth === null) return auth;
  const members = Object.entries(auth).map(
    async ([name, value]) => [name, await resolveReferences(value, reader, generation)] as const,
  );
  return Object.fromEntries(await Promise.all(members));
}

async function resolveText(text: string, reader: ReferenceReader, generation: Generation): Promise<string> {
  const reference = parseReference(text);
  if (reference.kind === 'plain') return text;
  if (reference.kind === 'environment') return reader.environment(reference.variable);
  return keyText(await reader.key(reference.path), reference, generation);
}

/** The text of a key, or of one of its fields. A key without a previous value is taken as it is. */
export function keyText(
  key: CredentialKey,
  { path, field }: { path: string; field: string | null },
  generation: Generation,
): string {
  const value = generation === 'previous' ? (key.previous ?? key.value) : key.value;
  const text = textOf(value, field);
  if (text) return text;
  const why = text === '' ? 'is empty' : `has no field "${field}"`;
  throw new KeyferryError('reference_unresolved', `The key "${path}" ${why}.`, { failureClass: 'unauthenticated' });
}

/**
 * The value of a variable of the operator's that the allowlist names: exact names, or names ending in `*` for any rest.
 * Throws `reference_refused`, or `reference_unresolved` for one that is unset or empty.
 */
export function readVariable(name: string, environment: NodeJS.ProcessEnv, allowlist: readonly string[]): string {
  if (!allowlist.some((allowed) => allows(allowed, name)))
    throw new KeyferryError('reference_refused', `The operator does not allow the variable ${name} to be referred to.`);
  const value = environment[name];
  if (!value) throw new KeyferryError('reference_unresolved', `The variable ${name} is not set, or empty.`);
  return value;
}

function allows(allowed: string, name: string): boolean {
  return allowed.endsWith('*') ? name.startsWith(allowed.slice(0, -1)) : allowed === name;
}
