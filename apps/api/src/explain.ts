import { type Explanation, mostChanges } from '@keyferry/contracts';
import { explainKey, KeyferryError, rulesMatching, type ToldChange, type ToldCycle } from '@keyferry/core';
import {
  backendsById,
  cycleTriggers,
  dependentsOf,
  findKey,
  findPurgedKey,
  getHold,
  type Hold,
  type Key,
  type KeySides,
  listKeyChanges,
  type StoredKeyChange,
  sidesOf,
  type Tx,
} from '@keyferry/store';
import { backendNames } from './answers/backend-names.ts';
import { showKey, shownTime } from './answers/key.ts';

/**
 * Gathers why a key is as it is. One that was purged has its story still. Throws `key_not_found`, also for a key that may
 * not be listed.
 */
export async function explain(
  tx: Tx,
  pathOrId: string,
  { mayList, now }: { mayList: (path: string) => boolean; now: Date },
): Promise<Explanation> {
  const key = await findKey(tx, pathOrId);
  const purged = key ? null : await findPurgedKey(tx, pathOrId);
  const id = key?.id ?? purged?.id;
  const path = key?.local_path ?? purged?.localPath;
  if (id === undefined || path === undefined || !mayList(path))
    throw new KeyferryError('key_not_found', `There is no key "${pathOrId}", and there was none.`);

  const changes = await listKeyChanges(tx, id, mostChanges);
  const cycleOf = await cyclesToTell(tx, [key?.created_in, ...changes.map((change) => change.cycle_id)]);
  const story = changes.map((change) => told(change, cycleOf));
  const hold = key?.hold_id ? await getHold(tx, key.hold_id) : null;
  const backend = key && (await backendsById(tx, [key.backend_id])).get(key.backend_id);
  const rules = backend ? rulesMatching(backend, path) : { validation: null, lifecycle: [] };
  const createdIn = cycleOf(key?.created_in ?? null);
  const facts = key && factsOf(key, createdIn, hold, await sidesOf(tx, key.id));
  const explained = { path, key: facts, story, rules };
  return {
    id,
    path,
    state: key?.state ?? 'purged',
    sentences: explainKey(explained, now),
    key: key && {
      ...showKey(key, await backendNames(tx)),
      credentials_of: await dependentsOf(tx, key.local_path),
    },
    created: key && { at: key.created_at.toISOString(), cycle: createdIn },
    story: story.map(({ at, ...change }) => ({ at: at.toISOString(), ...change })),
    hold: hold && { id: hold.id, decided_by: hold.decided_by, decided_at: shownTime(hold.decided_at) },
    rules: key && rules,
  };
}

type CycleOf = (id: string | null) => ToldCycle | null;

async function cyclesToTell(tx: Tx, ids: readonly (string | null | undefined)[]): Promise<CycleOf> {
  const triggers = await cycleTriggers(tx, [...new Set(ids.flatMap((id) => id ?? []))]);
  return (id) => (id === null ? null : { id, trigger: triggers.get(id) ?? null });
}

const told = (change: StoredKeyChange, cycleOf: CycleOf): ToldChange => ({
  at: change.at,
  change: change.change,
  from: change.from_state,
  to: change.to_state,
  version: change.version,
  cycle: cycleOf(change.cycle_id),
  actor: change.actor,
  reason: change.reason,
});

function factsOf(key: Key, createdIn: ToldCycle | null, hold: Hold | null, { conflict, ...sides }: KeySides) {
  return {
    state: key.state,
    revoked: key.revoked,
    version: key.version,
    stateChangedAt: key.state_changed_at,
    deprecatedFor: key.deprecated_for,
    createdAt: key.created_at,
    createdIn,
    expiresAt: key.expires_at,
    archiveAt: key.archive_at,
    purgeAt: key.purge_at,
    rotationDueAt: key.rotation_due_at,
    missingSince: key.missing_since,
    kept: key.kept,
    rolledBack: key.rolled_back,
    sides: {
      ...sides,
      conflict: conflict && {
        kind: conflict.kind,
        since: conflict.detected_at,
        resolution: conflict.resolution,
        resolvedBy: conflict.resolved_by,
      },
    },
    hold: hold && { id: hold.id, decidedBy: hold.decided_by },
    finding:
      key.rejected === null || key.problems_since === null
        ? null
        : { rejected: key.rejected, problems: key.problems ?? [], since: key.problems_since },
  };
}
