import {
  type Backend,
  type EndedConflict,
  endConflicts,
  keyEvents,
  type NewEvent,
  noteConflicts,
  type SeenConflict,
  type Tx,
} from '@keyferry/store';
import type { Decision, KeptSide } from './decide.ts';

type About = Pick<Backend, 'id' | 'tenant_id' | 'name' | 'kind'>;

/** A conflict as a cycle comes upon it, with the key's local path. */
export interface FoundConflict extends SeenConflict {
  path: string;
}

/** Notes conflicts. Returns the keys of those that were noted: others were changed meanwhile; and what is to be told. */
export async function keepConflicts(
  tx: Tx,
  backend: About,
  cycleId: string,
  found: readonly FoundConflict[],
  now: Date,
): Promise<{ noted: ReadonlySet<string>; events: NewEvent[] }> {
  const noted = await noteConflicts(tx, backend, found, now);
  const told = found
    .filter(({ keyId }) => noted.get(keyId)?.news)
    .map(({ path, kind, remoteVersion }) => ({ path, kind, remote_version: remoteVersion }));
  return { noted: new Set(noted.keys()), events: keyEvents('conflict.detected', backend, cycleId, told) };
}

/** The conflicts of decisions. */
export const conflictsIn = (decisions: readonly Decision[]): FoundConflict[] =>
  decisions.flatMap(({ conflict, item }) => (conflict ? [{ ...conflict, path: item.local }] : []));

/** The sides that decisions have kept, by id of the key. */
export const keptIn = (decisions: readonly Decision[]): Map<string, KeptSide> =>
  new Map(decisions.flatMap(({ known, kept }) => (known && kept ? [[known.id, kept] as const] : [])));

/** Ends the conflicts of keys that were settled, where they were in one. Returns what is to be told. */
export async function settleConflicts(
  tx: Tx,
  backend: About,
  cycleId: string,
  kept: ReadonlyMap<string, KeptSide>,
): Promise<NewEvent[]> {
  const ended = await endConflicts(tx, [...kept.keys()]);
  const told = ended.flatMap((conflict) => {
    const settled = kept.get(conflict.keyId);
    return settled ? [{ path: conflict.path, keep: settled.side, actor: whoSaidSo(conflict, settled) }] : [];
  });
  const groups = Map.groupBy(told, ({ keep, actor }) => JSON.stringify([keep, actor]));
  return [...groups.values()].flatMap((group) => {
    const [{ keep, actor } = { keep: 'both', actor: null }] = group;
    const paths = group.map(({ path }) => path).sort();
    return keyEvents('conflict.resolved', backend, cycleId, paths, { keep, actor });
  });
}

/** A person has decided only what they have seen. */
function whoSaidSo({ resolution, resolvedBy, remoteDigest }: EndedConflict, settled: KeptSide): string | null {
  return resolution === settled.side && remoteDigest === settled.remoteDigest ? resolvedBy : null;
}
