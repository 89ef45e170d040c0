import { KeyferryError, keyStates, type Lifecycle, parseLifecycle, parseSelection } from '@keyferry/core';
import {
  appendKeyEvents,
  type Backend,
  backendsById,
  type Cause,
  lockBackends,
  lockKeys,
  moveKeys,
  onlyHereAmong,
  type SelectedKey,
  selectKeys,
  type Tx,
} from '@keyferry/store';

/** Keys that a person names, which may be all there are: what revoking and its opposite share. */

/** Keys that are locked, and written, at a time. */
const pageSize = 1_000;

/** How many paths an answer names. */
const mostPaths = 20;

export interface Chosen {
  keys: SelectedKey[];
  /** Whether wildcards had a part in choosing them. */
  byGlob: boolean;
}

/** What whoever chooses may do with local paths. */
export interface Choosing {
  /** Throws `forbidden`, whether or not there is a key. */
  require(localPath: string): void;
  /** Whether they may know that there is such a key. */
  sees(localPath: string): boolean;
}

/**
 * The keys at these local paths, and those that these globs match. Each has to choose something: throws `key_not_found` or
 * `nothing_matches`, `glob_invalid` or `request_invalid`, and what `by` does: for paths before they are looked up, and where a
 * glob matches a key that may be seen, and not more. Keys that may not be seen are not chosen by globs, and not missed.
 */
export async function chooseKeys(
  tx: Tx,
  texts: readonly string[],
  by: Choosing,
  exact: boolean | undefined,
): Promise<Chosen> {
  const selection = parseSelection(texts, exact);
  for (const path of selection.paths) by.require(path);
  const { keys, unmatched } = await selectKeys(tx, selection, by.sees);
  for (const { localPath } of keys) by.require(localPath);
  const [path] = unmatched.paths;
  if (path !== undefined) throw new KeyferryError('key_not_found', `There is no key "${path}".`);
  const [glob] = unmatched.globs;
  if (glob !== undefined) throw new KeyferryError('nothing_matches', `The glob "${glob}" matches no key.`);
  return { keys, byGlob: selection.globs.length > 0 };
}

/** The first of their paths, in order. */
export const samplePaths = (keys: readonly { localPath: string }[]): string[] =>
  keys
    .map(({ localPath }) => localPath)
    .sort()
    .slice(0, mostPaths);

/** What of the choice the audit log names. */
export const targetOf = (paths: readonly string[]): string =>
  paths.length === 1 ? String(paths[0]) : `${paths.length} paths`;

interface Revocation {
  tenantId: string;
  type: 'keys.revoked' | 'keys.unrevoked';
  /** What becomes of their mark; those that have it already are left alone. */
  revoked: boolean;
  actor: string;
  reason: string;
  now: Date;
}

/**
 * Marks keys as revoked, which archives them whatever they are, or takes the mark away. All keys come before any event,
 * as everybody locks them: keys first, then their backends. Returns what was changed, and the backends concerned.
 */
export async function markRevoked(
  tx: Tx,
  chosen: readonly SelectedKey[],
  { tenantId, type, revoked, actor, reason, now }: Revocation,
): Promise<{ count: number; backends: Map<string, Backend> }> {
  const wanted = chosen.filter((key) => key.revoked !== revoked);
  const backends = await backendsById(
    tx,
    wanted.map(({ backendId }) => backendId),
  );
  const lifecycleOf = lifecyclesOf(backends);
  const cause: Cause = { cycleId: null, actor, reason };
  // Of very many keys no more is kept than their paths.
  const marked = new Map<string, string[]>();
  let count = 0;
  for (let start = 0; start < wanted.length; start += pageSize) {
    const ids = wanted.slice(start, start + pageSize).map(({ id }) => id);
    const locked = (await lockKeys(tx, ids, keyStates)).filter((key) => key.revoked !== revoked);
    // Retention runs from the moment a revocation is lifted: the key must not be purged before a cycle could find it.
    const keys = revoked ? locked : locked.map((key) => ({ ...key, revoked: false, stateChangedAt: now }));
    const move = { change: revoked ? 'revoked' : 'unrevoked', set: { revoked }, cause, now } as const;
    // What no vault has no cycle finds.
    const onlyHere = revoked ? new Set() : await onlyHereAmong(tx, ids);
    const { back = [], others = [] } = Object.groupBy(keys, ({ id }) => (onlyHere.has(id) ? 'back' : 'others'));
    await moveKeys(tx, tenantId, others, lifecycleOf, { ...move, event: revoked ? 'revoked' : null });
    await moveKeys(tx, tenantId, back, lifecycleOf, { ...move, event: 'restored' });
    count += keys.length;
    for (const { backendId, localPath } of keys) {
      const paths = marked.get(backendId);
      if (paths) paths.push(localPath);
      else marked.set(backendId, [localPath]);
    }
  }
  // All at once, since each event of one holds up those of every other.
  await lockBackends(tx, [...backends.keys()]);
  for (const backend of backends.values()) {
    const paths = marked.get(backend.id) ?? [];
    const more = { actor, reason, ...(revoked && { urgent: true }) };
    await appendKeyEvents(tx, backend, type, paths, { more, now });
  }
  return { count, backends: new Map([...backends].filter(([id]) => marked.has(id))) };
}

function lifecyclesOf(backends: Map<string, Backend>): (backendId: string) => Lifecycle {
  const parsed = new Map([...backends].map(([id, backend]) => [id, parseLifecycle(backend)]));
  return (backendId) => {
    const lifecycle = parsed.get(backendId);
    if (!lifecycle) throw new Error('A key came without its backend.');
    return lifecycle;
  };
}
