import { KeyferryError } from './errors.ts';
import { type Glob, parseGlob } from './glob.ts';
import { describePathProblem, pathProblem } from './path.ts';

/** Keys that a person names: by local paths, or by globs of them. */
export interface KeySelection {
  paths: string[];
  globs: Glob[];
}

/**
 * What has a wildcard is a glob, which also matches a key of that very name; the rest are paths, and if they are `exact`, all
 * are. Throws `glob_invalid` or `request_invalid`.
 */
export function parseSelection(texts: readonly string[], exact = false): KeySelection {
  const selection: KeySelection = { paths: [], globs: [] };
  for (const text of texts.map((given) => given.normalize('NFC'))) {
    if (!exact && /[*?]/.test(text)) selection.globs.push(parseGlob(text));
    else selection.paths.push(checkedPath(text));
  }
  return selection;
}

function checkedPath(path: string): string {
  const problem = pathProblem(path);
  if (problem)
    throw new KeyferryError('request_invalid', `The path can’t be a key’s: ${describePathProblem(problem)}.`);
  return path;
}

/** The folders in which all matches of the globs are, none within another; an empty text for the whole tree. */
export function foldersOf(globs: readonly Glob[]): string[] {
  const folders = [...new Set(globs.map(({ folder }) => folder))];
  return folders.filter((folder) => !folders.some((other) => other !== folder && folder.startsWith(other)));
}
