import { isObject } from './json.ts';
import type { HappenedEvent } from './notification.ts';

/** Longest note, in characters. */
const longest = 300;

/**
 * What a person is told of an event beside its type and paths: at most `most` sentences. Of events that tell more of each
 * key, only of these paths. Members are looked at one by one, since former versions wrote other ones.
 */
export function eventNotes(event: HappenedEvent, paths: readonly string[], most: number): string[] {
  return notesOf(event, paths, most).map((note) =>
    note.length > longest ? `${note.slice(0, longest - 1)}…`.toWellFormed() : note,
  );
}

function notesOf({ type, data }: HappenedEvent, paths: readonly string[], most: number): string[] {
  const text = (name: string) => textOf(data, name);
  const ofKeys = (sentence: (key: Record<string, unknown>) => string) => {
    const told = new Set(paths);
    const keys = Array.isArray(data.keys) ? data.keys.filter(isObject) : [];
    return keys
      .filter(({ path }) => told.has(String(path)))
      .slice(0, most)
      .map(sentence);
  };
  switch (type) {
    case 'federation.sync.completed':
      return Number(data.issues) > 0 ? [`${data.issues} secrets have issues.`] : [];
    case 'federation.sync.failed':
      return isObject(data.error) ? [withCode(data.error)] : [];
    case 'federation.backend.unreachable':
      return [`${text('failures')} failures in a row. ${withCode(data)}`];
    case 'federation.backend.recovered':
      return [`It was unreachable since ${text('unreachable_since')}.`];
    case 'keys.invalid':
      return ofKeys((key) => `${textOf(key, 'path')}: ${withCode(key)}`);
    case 'keys.rotation_overdue':
      return ofKeys((key) => `${textOf(key, 'path')} was due at ${textOf(key, 'due_at')}.`);
    case 'keys.archiving_soon':
      return ofKeys((key) => `${textOf(key, 'path')} is archived at ${textOf(key, 'at')}.`);
    case 'keys.expiring_soon':
      return ofKeys((key) => `${textOf(key, 'path')} expires at ${textOf(key, 'at')}.`);
    case 'keys.renamed':
      return ofKeys((key) => `${textOf(key, 'renamed_from')} is ${textOf(key, 'path')} now.`);
    case 'keys.rolled_back':
    case 'keys.revoked':
    case 'keys.unrevoked':
    case 'keys.restored':
      return text('actor') ? [`By ${text('actor')}${text('reason') && `: ${text('reason')}`}`] : [];
    case 'keys.deleted':
      return [`By ${text('actor')}.`];
    case 'conflict.detected':
      return ofKeys(
        (key) =>
          `${textOf(key, 'path')} was changed here and ${key.kind === 'removed' ? 'is gone from' : 'in'} the vault.`,
      );
    case 'conflict.resolved':
      return [resolutionOf(text('keep'), text('actor'))];
    case 'deprecation.held':
      return [`${text('candidates')} of ${text('keys')} keys would go: keyferry held approve ${text('hold_id')}`];
    case 'deprecation.settled':
      return [`The hold ${text('hold_id')} was ${text('state')}${text('actor') && ` by ${text('actor')}`}.`];
    default:
      return [];
  }
}

function resolutionOf(keep: string, actor: string): string {
  if (keep === 'both') return 'Both sides agree again.';
  return `${actor && `By ${actor}: `}${keep === 'local' ? 'what is here' : 'what the vault has'} is kept.`;
}

const withCode = (data: Record<string, unknown>) => `${textOf(data, 'message')} (${textOf(data, 'code')})`;

function textOf(data: Record<string, unknown>, name: string): string {
  const value = data[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
