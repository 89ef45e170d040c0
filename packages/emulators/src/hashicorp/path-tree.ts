import { sortByBytes } from './json.ts';

interface Folder {
  names: Set<string>;
  /** Null after a change, so that listing a large folder again and again doesn't sort it each time. */
  sorted: string[] | null;
}

/**
 * Values by path, with listings of folders. A name can be a value and a folder at once, as in the real storage.
 * Folders are `''` or end in a slash.
 */
export class PathTree<Value> {
  readonly #values = new Map<string, Value>();
  readonly #folders = new Map<string, Folder>();

  get size(): number {
    return this.#values.size;
  }

  get(path: string): Value | undefined {
    return this.#values.get(path);
  }

  set(path: string, value: Value): void {
    const known = this.#values.has(path);
    this.#values.set(path, value);
    if (known) return;
    let name = path;
    for (;;) {
      const folder = parentOf(name);
      const existing = this.#folders.get(folder);
      const entry = existing ?? { names: new Set(), sorted: null };
      entry.names.add(name.slice(folder.length));
      entry.sorted = null;
      if (existing !== undefined || folder === '') {
        this.#folders.set(folder, entry);
        return;
      }
      this.#folders.set(folder, entry);
      name = folder;
    }
  }

  delete(path: string): boolean {
    if (!this.#values.delete(path)) return false;
    let name = path;
    for (;;) {
      const folder = parentOf(name);
      const entry = this.#folders.get(folder);
      if (entry === undefined) return true;
      entry.names.delete(name.slice(folder.length));
      entry.sorted = null;
      if (entry.names.size > 0 || folder === '') return true;
      this.#folders.delete(folder);
      name = folder;
    }
  }

  /** Names in one folder, sorted by bytes; those of folders end in a slash. */
  list(folder: string): readonly string[] {
    const entry = this.#folders.get(folder);
    if (entry === undefined) return [];
    entry.sorted ??= sortByBytes([...entry.names]);
    return entry.sorted;
  }

  /** Paths below a folder, relative to it, in the order in which the real server walks: files first, last folder next. */
  scan(folder: string): string[] {
    const paths: string[] = [];
    const frontier = [''];
    for (let current = frontier.pop(); current !== undefined; current = frontier.pop()) {
      for (const name of this.list(folder + current)) (name.endsWith('/') ? frontier : paths).push(current + name);
    }
    return paths;
  }

  entries(): IterableIterator<[string, Value]> {
    return this.#values.entries();
  }

  paths(): string[] {
    return [...this.#values.keys()];
  }
}

/** The folder that holds a path or a folder. */
function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/', path.length - 2) + 1);
}
