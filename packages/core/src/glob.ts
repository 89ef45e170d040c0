import { KeyferryError } from './errors.ts';

/** Anchored globs: `*` within one segment, `**` any number of segments, `?` one character. No other signs. */

export interface Glob {
  readonly source: string;
  readonly wildcards: readonly string[];
  test(path: string): boolean;
  /** What each wildcard stood for, or null if the path doesn't match. */
  capture(path: string): string[] | null;
  /** The longest leading text without a wildcard that ends in a slash: where a listing can start. */
  readonly folder: string;
}

const token = /\*\*|\*|\?/g;

export function parseGlob(source: string): Glob {
  const problem = globProblem(source);
  if (problem) throw new KeyferryError('glob_invalid', `The glob "${source}" can't be used: ${problem}.`);
  const wildcards = source.match(token) ?? [];
  const pattern = new RegExp(`^${toPattern(source)}$`, 'su');
  const literal = source.slice(0, wildcards.length > 0 ? source.search(token) : source.length);
  return {
    source,
    wildcards,
    test: (path) => pattern.test(path),
    capture: (path) => pattern.exec(path)?.slice(1) ?? null,
    folder: literal.slice(0, literal.lastIndexOf('/') + 1),
  };
}

/** A glob of sync_paths: there a trailing `/*` means everything below, at any depth. */
export function parseSyncPath(source: string): Glob {
  return parseGlob(source.endsWith('/*') ? `${source}*` : source);
}

/** Puts captured texts in place of a glob's wildcards, in order. */
export function fillGlob(source: string, captures: readonly string[]): string {
  let next = 0;
  return source.replace(token, () => captures[next++] ?? '');
}

function globProblem(source: string): string | null {
  if (source === '') return 'it is empty';
  if (source.length > 1024) return 'it is longer than 1,024 characters';
  if (source.startsWith('/')) return 'it starts with a slash';
  if (source.includes('//')) return 'it has an empty segment';
  if (/[[\]{}\\]/.test(source)) return 'brackets, braces and backslashes have no meaning here';
  if (source.includes('***')) return 'three stars in a row have no meaning';
  for (const segment of source.split('/')) {
    if (segment.includes('**') && segment !== '**') return '"**" must be a segment of its own';
    if (segment === '.' || segment === '..') return 'it has a segment "." or ".."';
  }
  // Each "**" may stand for any length: more than a few make matching slow on hostile paths.
  if ((source.match(/\*\*/g) ?? []).length > 4) return 'it has more than four "**"';
  return null;
}

function toPattern(source: string): string {
  let pattern = '';
  let index = 0;
  for (const match of source.matchAll(token)) {
    pattern += escapeLiteral(source.slice(index, match.index));
    pattern += match[0] === '**' ? '(.+)' : match[0] === '*' ? '([^/]+)' : '([^/])';
    index = match.index + match[0].length;
  }
  return pattern + escapeLiteral(source.slice(index));
}

function escapeLiteral(text: string): string {
  return text.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&');
}
