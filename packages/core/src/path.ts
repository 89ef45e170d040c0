/** Local paths: the names under which keys are served. */

export const maxPathBytes = 1024;

export type PathProblem = 'empty' | 'too_long' | 'empty_segment' | 'dot_segment' | 'control_character' | 'not_unicode';

const problemWords: Record<PathProblem, string> = {
  empty: 'it is empty',
  too_long: `it has more than ${maxPathBytes} bytes`,
  empty_segment: 'it has an empty segment',
  dot_segment: 'it has a segment "." or ".."',
  control_character: 'it has a control character',
  not_unicode: 'it is not valid Unicode',
};

export const describePathProblem = (problem: PathProblem): string => problemWords[problem];

/** A remote name as a candidate for a local path: NFC, without one leading slash. */
export function normalizePath(name: string): string {
  return (name.startsWith('/') ? name.slice(1) : name).normalize('NFC');
}

/** One that is empty, `.` or `..`. */
const oddSegment = /(?:^|\/)(\.{0,2})(?:\/|$)/;

/** Why a local path can't be carried, or null. Letter case counts; the path is expected in NFC. */
export function pathProblem(path: string): PathProblem | null {
  if (path.length === 0) return 'empty';
  if (!path.isWellFormed()) return 'not_unicode';
  // No unit of a text takes more than three bytes: most paths need no counting.
  if (path.length > maxPathBytes || (path.length * 3 > maxPathBytes && utf8Length(path) > maxPathBytes))
    return 'too_long';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) return 'control_character';
  const odd = oddSegment.exec(path);
  return odd === null ? null : odd[1] === '' ? 'empty_segment' : 'dot_segment';
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
