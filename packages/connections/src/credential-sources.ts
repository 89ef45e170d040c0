import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { KeyferryError, parseReference, pathProblem } from '@keyferry/core';

/** A key of Keyferry's own that holds credentials. */
export interface CredentialKey {
  /** The backend it comes from. */
  backendId: string;
  value: Buffer;
  /** The value before that one, if it is kept. */
  previous: Buffer | null;
}

/** How a tenant's keys are read. */
export interface CredentialKeys {
  /** A text that changes whenever one of these keys does. */
  versions(localPaths: readonly string[]): Promise<string>;
  /** Rejects with `reference_unresolved` for a key that isn't there or isn't served. */
  read(localPath: string): Promise<CredentialKey>;
}

/** What credentials are read from, apart from the settings themselves. */
export interface CredentialSources {
  /** Local paths of keys. */
  keys: string[];
  /** A file that `credentials_path` names. */
  file: string | null;
}

/** What `credentials_path` names. Throws `reference_invalid`. */
export function parseCredentialsPath(text: string) {
  if (text.startsWith('/')) return { kind: 'file', file: text } as const;
  const reference = parseReference(text);
  if (reference.kind === 'environment') return reference;
  const key = reference.kind === 'key' ? reference : ({ kind: 'key', path: text, field: null } as const);
  // What is no path may be the credentials themselves, pasted into the wrong place: it is not repeated.
  if (pathProblem(key.path) === null && !/^[{[]|^-----/.test(key.path)) return key;
  throw new KeyferryError(
    'reference_invalid',
    'credentials_path must be the path of a key, env.<VAR>, or an absolute file; not the credentials themselves.',
  );
}

/** Where settings take credentials from. Throws `reference_invalid`. */
export function sourcesOf(credentialsPath: string | undefined, auth: unknown): CredentialSources {
  const document = credentialsPath === undefined ? null : parseCredentialsPath(credentialsPath);
  const keys = new Set(document?.kind === 'key' ? [document.path] : []);
  for (const text of textsOf(auth)) {
    const reference = parseReference(text);
    if (reference.kind === 'key') keys.add(reference.path);
  }
  return { keys: [...keys], file: document?.kind === 'file' ? document.file : null };
}

function* textsOf(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null)
    for (const member of Object.values(value)) yield* textsOf(member);
}

/** A text that changes when one of the sources does. Empty where there is none that could. */
export async function versionOf({ keys, file }: CredentialSources, reader: CredentialKeys): Promise<string> {
  const ofKeys = keys.length === 0 ? '' : await reader.versions(keys);
  return file === null ? ofKeys : `${ofKeys} ${await fileVersion(file)}`;
}

/** Of the file itself, where its path is a link: Kubernetes replaces what it mounts by turning one. */
async function fileVersion(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(resolve(file));
    return `${mtimeMs}.${size}.${ino}`;
  } catch {
    return 'unreadable';
  }
}
