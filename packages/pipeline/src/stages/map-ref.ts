import { describePathProblem, type PathMapping, pathProblem } from '@keyferry/core';
import { type Backend, remoteHash } from '@keyferry/store';

export interface MappedRef {
  remote: string;
  /** Null where the form of the name alone rules it out; `problem` says how. */
  local: string | null;
  facts: string | null;
  problem: { code: string; message: string } | null;
}

/** A listed secret with the path it is to have here. */
export function mapRef(mapping: PathMapping, remote: string, facts: string | null): MappedRef {
  const local = mapping.toLocal(remote);
  const problem = problemOfName(local);
  if (!problem) return { remote, local, facts, problem: null };
  const message = `"${remote}" can't be carried as "${local}": ${problem}.`;
  return { remote, local: null, facts, problem: { code: 'path_incompatible', message } };
}

/** Why nothing can have this local path, in words, or null. */
export function problemOfName(local: string): string | null {
  const problem = pathProblem(local);
  return problem && describePathProblem(problem);
}

/** Whether the key that has a local path is that of this secret. */
export function isOwn(
  owner: { backendId: string; remotePath: string },
  backend: Pick<Backend, 'id'>,
  remotePath: string,
): boolean {
  return owner.backendId === backend.id && owner.remotePath === remotePath;
}

/** Local paths of a cycle, of which it is noticed when they come a second time. About 60 bytes each. */
export class WantedPaths {
  readonly #once = new Set<string>();
  readonly #twice = new Set<string>();

  add(local: string): void {
    const hash = remoteHash(local).toString('latin1');
    (this.#once.has(hash) ? this.#twice : this.#once).add(hash);
  }

  get anyTwice(): boolean {
    return this.#twice.size > 0;
  }

  isTwice(local: string): boolean {
    return this.#twice.size > 0 && this.#twice.has(remoteHash(local).toString('latin1'));
  }
}
