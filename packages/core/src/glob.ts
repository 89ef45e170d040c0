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
  const capture =
    wildcards.filter((sign) => sign !== '?').length > mostBacktracked ? byTable(source) : byPattern(source);
  const literal = source.slice(0, wildcards.length > 0 ? source.search(token) : source.length);
  return {
    source,
    wildcards,
    test: (path) => capture(path) !== null,
    capture,
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

type Capture = (path: string) => string[] | null;

/** With more stars than this a regular expression may take for ever to find that a path does not match. */
const mostBacktracked = 2;

function byPattern(source: string): Capture {
  const pattern = new RegExp(`^${toPattern(source)}$`, 'su');
  return (path) => pattern.exec(path)?.slice(1) ?? null;
}

/**
 * The same with a table of which rest of the glob matches which rest of the path, filled from the end: as many steps as the
 * one has signs times the other characters. Like the regular expression, each wildcard takes as much as it can.
 */
function byTable(source: string): Capture {
  const signs = [...source.matchAll(/\*\*|./gsu)].map(([sign]) => sign);
  return (path) => {
    const characters = [...path];
    const width = characters.length + 1;
    const rest = new Uint8Array((signs.length + 1) * width);
    const matchesFrom = (sign: number, place: number): boolean => rest[sign * width + place] === 1;
    rest[signs.length * width + characters.length] = 1;
    for (let sign = signs.length - 1; sign >= 0; sign--)
      for (let place = characters.length - 1; place >= 0; place--) {
        if (!takes(signs[sign] as string, characters[place] as string)) continue;
        const goesOn = isStar(signs[sign] as string) && matchesFrom(sign, place + 1);
        if (goesOn || matchesFrom(sign + 1, place + 1)) rest[sign * width + place] = 1;
      }
    if (!matchesFrom(0, 0)) return null;
    const captures: string[] = [];
    let place = 0;
    for (const [index, sign] of signs.entries()) {
      const start = place++;
      while (isStar(sign) && matchesFrom(index, place)) place++;
      if (isStar(sign) || sign === '?') captures.push(characters.slice(start, place).join(''));
    }
    return captures;
  };
}

const isStar = (sign: string): boolean => sign === '*' || sign === '**';

function takes(sign: string, character: string): boolean {
  if (sign === '**') return true;
  return sign === '*' || sign === '?' ? character !== '/' : sign === character;
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
