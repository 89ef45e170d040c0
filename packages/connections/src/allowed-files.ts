import { readFile } from 'node:fs/promises';
import { isAbsolute, normalize, resolve } from 'node:path';
import { KeyferryError } from '@keyferry/core';

/**
 * The files that settings of backends may name, from the operator's list: absolute paths separated by commas, each
 * exact or ending in `*` for any rest. Throws `config_invalid`.
 */
export function parseAllowedFiles(list: string): string[] {
  const entries = list.split(',').filter((entry) => entry !== '');
  for (const entry of entries)
    if (!isAbsolute(entry) || normalize(entry) !== entry)
      throw new KeyferryError(
        'config_invalid',
        `KEYFERRY_ALLOWED_FILES has "${entry}", which is not an absolute path without "." and "..".`,
      );
  return entries;
}

/**
 * Whether the operator allows the file. The list is compared with where the path leads to once its dots are resolved;
 * a relative path is never allowed. Links are the operator's own, and followed: Kubernetes mounts its tokens as such.
 */
export function isAllowedFile(path: string, allowlist: readonly string[]): boolean {
  if (!isAbsolute(path)) return false;
  const file = resolve(path);
  return allowlist.some((entry) => (entry.endsWith('*') ? file.startsWith(entry.slice(0, -1)) : file === entry));
}

/** The text of an allowed file. Rejects as `ConnectContext.readAllowedFile` says. */
export async function readAllowedFile(path: string, allowlist: readonly string[]): Promise<string> {
  if (!isAllowedFile(path, allowlist)) throw refusedFile(`the file ${path}`);
  try {
    // What was compared is what is read: with a link in it, the path as given might lead elsewhere.
    return await readFile(resolve(path), 'utf8');
  } catch {
    throw new KeyferryError('reference_unresolved', `The file ${path} can’t be read.`, {
      failureClass: 'unauthenticated',
    });
  }
}

/** `file` says which one, for people. */
export function refusedFile(file: string): KeyferryError {
  return new KeyferryError(
    'reference_refused',
    `The operator does not allow ${file} to be read; a file is named by its absolute path.`,
    { failureClass: 'unauthenticated' },
  );
}
