import { hash } from 'node:crypto';

/** A short text that changes with any of the parts: JSON values, members of objects in the order they are to count in. */
export function fingerprint(parts: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 16);
}

/** The members of a record, sorted by name, so that their order does not count. */
export function sortedEntries(record: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
