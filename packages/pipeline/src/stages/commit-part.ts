import { randomUUID } from 'node:crypto';
import { classOf, describeError, KeyferryError } from '@keyferry/core';
import {
  addCandidates,
  addIssues,
  appendEvents,
  type Backend,
  type BegunWrite,
  begunWrites,
  byCycle,
  type Dispatch,
  endWrites,
  holdShard,
  type Issue,
  loadKeys,
  noteFindings,
  noteKeyChanges,
  noteSeen,
  ownersOf,
  roomForKeys,
  type Shard,
  type ShardRef,
  type StoredKey,
  settleShard,
  type Tx,
  writeKeys,
} from '@keyferry/store';
import type { SecretReading } from '@keyferry/vaults';
import { conflictsIn, keepConflicts, keptIn, settleConflicts } from './conflicts.ts';
import { type Decision, type DecisionInput, decide, pathTaken } from './decide.ts';
import { readHistory } from './history.ts';
import { withinLimit } from './key-limit.ts';
import { isOwn } from './map-ref.ts';
import { endedPushes, type Pushes, pushAhead } from './push.ts';
import type { BackendRun, StageRun } from './stage-run.ts';
import { changesOf, countOutcomes, eventsOf } from './tell.ts';

/** What a shard has read so far and not yet written. */
export interface Part {
  readings: Reading[];
  failed: { remote: string; error: Error }[];
  bytes: number;
}

export interface Reading {
  remote: string;
  local: string;
  reading: SecretReading;
}

/** What of a shard is not settled yet, by remote path: its local path, and what the listing showed beside it. */
export type Left = Map<string, [local: string, facts: string | null]>;

export const emptyPart = (): Part => ({ readings: [], failed: [], bytes: 0 });

const maxRounds = 5;

/**
 * Load, decide, commit once: keys, versions, events, issues and what is left of the shard, in one transaction. Keys that
 * somebody else wrote between the reading and the writing are looked at again in another round. Takes what is settled out
 * of `left`, and returns the jobs that come next, if this was the end of the shard.
 */
export async function commitPart(run: StageRun, shard: Shard, left: Left, part: Part): Promise<Dispatch[]> {
  let readings = part.readings;
  let failed = part.failed.map(({ remote, error }) => reportOf(remote, error));
  const pushes: Pushes = new Map();
  for (let round = 0; round < maxRounds; round++) {
    // Where a key has come to be in the meantime nothing is written over it: it is overtaken, and looked up then.
    const lookUp = round > 0 || failed.length > 0 || shard.attempts > 1 || !shard.all_new;
    const found = await find(run, readings, failed, lookUp);
    const result = await commitRound(run, shard, left, { readings, failed, pushes, ...found });
    for (const remote of result.settled) left.delete(remote);
    if (result.overtaken.length === 0) return result.next;
    readings = result.overtaken;
    failed = [];
  }
  throw new KeyferryError('vault_conflict', 'Keys of this shard were changed again and again while it was written.', {
    failureClass: 'conflict',
  });
}

interface RoundResult {
  settled: string[];
  overtaken: Reading[];
  next: Dispatch[];
}

/** What is stored beside readings. */
export interface Found {
  /** By remote path. */
  known: Map<string, StoredKey>;
  /** By local path. */
  owners: Awaited<ReturnType<typeof ownersOf>>;
  /** Writes to the vault that were begun and not stored, by remote path. */
  begun: Map<string, BegunWrite>;
}

/** `lookUp`: whether there may be keys of these secrets. Secrets of which there is none may be ours all the same. */
export async function find(
  { services, backend }: BackendRun,
  readings: Reading[],
  failed: Issue[],
  lookUp = true,
): Promise<Found> {
  const locals = readings.map(({ local }) => local);
  const remotes = pathsOf(readings, failed);
  return await services.store.inTenant(backend.tenant_id, async (tx) => ({
    known: lookUp ? await loadKeys(tx, backend.id, remotes) : new Map(),
    owners: lookUp ? await ownersOf(tx, locals) : new Map(),
    begun: await begunWrites(tx, backend.id, remotes),
  }));
}

/** A reading beside its key. A key keeps its name until it is renamed, which the guard has its say in. */
export function placeOf(read: Reading, { known, owners, begun }: Found, backend: Pick<Backend, 'id'>) {
  const stored = known.get(read.remote) ?? null;
  const item = stored ? { ...read, local: stored.localPath } : read;
  const owner = stored ? undefined : owners.get(item.local);
  const taken = owner !== undefined && !isOwn(owner, backend, item.remote);
  return { item, stored, taken, begun: begun.get(read.remote) ?? null };
}

async function commitRound(
  run: StageRun,
  shard: Shard,
  left: Left,
  { readings, failed, pushes, ...found }: Found & { readings: Reading[]; failed: Issue[]; pushes: Pushes },
): Promise<RoundResult> {
  const { services, cycle, backend } = run;
  const { known } = found;
  const now = services.now();
  const keys = await services.keyring.ofTenant(cycle.tenant_id);
  const decideOn: DecideOn = (read, more = {}) => {
    const { item, stored, taken, begun } = placeOf(read, found, backend);
    if (taken) return { ...pathTaken(item), write: null, pushed: false };
    const { judge, lifecycle } = run;
    const id = randomUUID();
    return decide({ item, known: stored, begun, id, backend, judge, lifecycle, keys, now, ...more });
  };
  const atFirst = readings.map((item) => decideOn(item));
  const complete = backend.version_history ? await withHistory(run, shard, atFirst, known, decideOn) : atFirst;
  const decided = await pushAhead(run, complete, pushes, decideOn);
  const calls = run.takeCalls();

  return await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdShard(tx, shard);
    const decisions = withinLimit(decided, run.maxKeys === null ? null : await roomForKeys(tx));
    const context = {
      tenantId: cycle.tenant_id,
      backendId: backend.id,
      cycleId: cycle.id,
      digestKeyId: keys.digestKeyId,
      encryptionKeyId: keys.encryptionKeyId,
      maxVersions: backend.max_versions,
      now,
    };
    const written = await writeKeys(
      tx,
      context,
      decisions.flatMap(({ write }) => write ?? []),
    );
    const conflicts = await keepConflicts(tx, backend, cycle.id, conflictsIn(decisions), now);
    const hasLanded = ({ write, conflict }: Decision) =>
      (write === null || written.has(write.id)) && (conflict === null || conflicts.noted.has(conflict.keyId));
    const { landed = [], overtaken = [] } = Object.groupBy(decisions, (one) =>
      hasLanded(one) ? 'landed' : 'overtaken',
    );
    await reportFailures(run, tx, failed, known);
    const untouched = landed.filter(({ write }) => write === null).map(({ item }) => item.remote);
    await noteSeen(tx, backend.id, untouched, now);
    await addIssues(
      tx,
      cycle,
      landed.flatMap(({ issues }) => issues),
    );
    const news = await noteFindings(
      tx,
      cycle,
      landed.flatMap(({ finding }) => finding ?? []),
      now,
    );
    await noteKeyChanges(tx, cycle.tenant_id, byCycle(cycle.id), landed.flatMap(changesOf), now);
    const over = landed.flatMap(({ over }) => over ?? []);
    await endWrites(tx, [...over, ...endedPushes(pushes)]);
    const resolved = await settleConflicts(tx, backend, cycle.id, keptIn(landed));
    const events = [...eventsOf(run, landed, news), ...conflicts.events, ...resolved];
    await appendEvents(tx, backend.id, events, now);

    const settled = [...landed.map(({ item }) => item.remote), ...failed.map(({ remotePath }) => remotePath)];
    const gone = new Set(settled);
    const rest = [...left].flatMap(([remote, [local, facts]]): ShardRef[] =>
      gone.has(remote) ? [] : [[remote, local, facts]],
    );
    const withIssue = (outcome: Issue['outcome']) =>
      landed.filter(({ issues }) => issues.some((issue) => issue.outcome === outcome)).length;
    const counts = {
      ...countOutcomes([...landed.map(({ outcome }) => outcome), ...failed.map(({ outcome }) => outcome)]),
      history_incomplete: withIssue('history'),
      warned: withIssue('warned'),
      pushed: landed.filter(({ pushed }) => pushed).length,
      unpushed: withIssue('unpushed'),
    };
    const next = await settleShard(tx, shard, { left: rest, counts, calls, now });
    return { settled, overtaken: overtaken.map(({ item }) => item), next };
  });
}

/** Decides on a reading once more, with what has become known since. */
export type DecideOn = (item: Reading, more?: Pick<DecisionInput, 'earlier' | 'pushed'>) => Decision;

/** Decisions that store a value, with the versions before it that were not seen here. */
async function withHistory(
  run: StageRun,
  shard: Shard,
  decisions: Decision[],
  known: Map<string, StoredKey>,
  decideOn: DecideOn,
): Promise<Decision[]> {
  const { capabilities } = await run.connect();
  if (!capabilities.history) return decisions;
  // As many as a part has; the connection bounds how many calls run at a time.
  return await Promise.all(
    decisions.map(async (decision): Promise<Decision> => {
      if (!decision.write?.ciphertext) return decision;
      const { item } = decision;
      const { earlier, issue } = await readHistory(run, item, known.get(item.remote) ?? null, shard.attempts);
      const again = decideOn(item, { earlier });
      return { ...again, issues: issue ? [...again.issues, issue] : again.issues };
    }),
  );
}

const pathsOf = (readings: Reading[], failed: Issue[]) => [
  ...readings.map(({ remote }) => remote),
  ...failed.map(({ remotePath }) => remotePath),
];

/** A read that proves a listed secret gone makes its key a candidate; any other failure is an issue, and no absence. */
async function reportFailures(run: StageRun, tx: Tx, failed: Issue[], known: Map<string, StoredKey>): Promise<void> {
  const { cycle, backend, services } = run;
  const present = failed.filter(({ outcome }) => outcome !== 'gone');
  const gone = failed.filter(({ outcome }) => outcome === 'gone');
  await addCandidates(
    tx,
    cycle,
    gone.flatMap(({ remotePath }) => known.get(remotePath)?.id ?? []),
  );
  await addIssues(tx, cycle, present);
  await noteSeen(
    tx,
    backend.id,
    present.map(({ remotePath }) => remotePath),
    services.now(),
  );
}

export function reportOf(remotePath: string, error: Error): Issue {
  const { code, message } = describeError(error);
  const failureClass = classOf(error);
  const outcome = failureClass === 'not_found' || failureClass === 'deleted' ? 'gone' : 'failed';
  return { remotePath, outcome, code, class: failureClass, message };
}
