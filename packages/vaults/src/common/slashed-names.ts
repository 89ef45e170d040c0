/**
 * Paths for vaults whose names have no slashes: the separator stands for one, so that `bifrost--openai--key` is
 * `bifrost/openai/key`. A name that would get an empty segment is its own path. The way back from a path that came from a
 * name always leads to that name; `nameOf` answers null for a path that no name leads to. Without a separator (`''`),
 * names are paths.
 */
export function slashedNames(separator: string) {
  const pathOf = (name: string): string => {
    if (separator === '') return name;
    const segments = name.split(separator);
    return segments.includes('') ? name : segments.join('/');
  };
  return {
    pathOf,
    nameOf(path: string): string | null {
      const name = separator === '' ? path : path.replaceAll('/', separator);
      return pathOf(name) === path ? name : null;
    },
  };
}
