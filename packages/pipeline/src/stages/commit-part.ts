import { randomUUID } from 'node:crypto';
import {
  classOf,
  describeError,
  isServed,
  type KeyChange,
  KeyferryError,
  type Outcome,
  outcomes,
} from '@keyferry/core';
import {
  addCandidates,
  addIssues,
  appendEvents,
  type Backend,
  byCycle,
  type Dispatch,
  holdShard,
  type Issue,
  keyEvents,
  loadKeys,
  type NewEvent,
  type NewKeyChange,
  noteFindings,
  noteKeyChanges,
  noteSeen,
  ownersOf,
  type Shard,
  type ShardRef,
  type StoredKey,
  settleShard,
  type Tx,
  writeKeys,
} from '@keyferry/store';
import type { SecretReading } from '@keyferry/vaults';
import { type Decision, decide, pathTaken } from './decide.ts';
import { readHistory } from './history.ts';
import { isOwn } from './map-ref.ts';
import type { BackendRun, StageRun } from './stage-run.ts';

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
  for (let round = 0; round < maxRounds; round++) {
    // Where a key has come to be in the meantime nothing is written over it: it is overtaken, and looked up then.
    const lookUp = round > 0 || failed.length > 0 || shard.attempts > 1 || !shard.all_new;
    const found = lookUp ? await find(run, readings, failed) : nothingFound;
    const result = await commitRound(run, shard, left, { readings, failed, ...found });
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
}

const nothingFound: Found = { known: new Map(), owners: new Map() };

export async function find({ services, backend }: BackendRun, readings: Reading[], failed: Issue[]): Promise<Found> {
  const locals = readings.map(({ local }) => local);
  return await services.store.inTenant(backend.tenant_id, async (tx) => ({
    known: await loadKeys(tx, backend.id, pathsOf(readings, failed)),
    owners: await ownersOf(tx, locals),
  }));
}

/** A reading beside its key. A key keeps its name until it is renamed, which the guard has its say in. */
export function placeOf(read: Reading, { known, owners }: Found, backend: Pick<Backend, 'id'>) {
  const stored = known.get(read.remote) ?? null;
  const item = stored ? { ...read, local: stored.localPath } : read;
  const owner = stored ? undefined : owners.get(item.local);
  return { item, stored, taken: owner !== undefined && !isOwn(owner, backend, item.remote) };
}

async function commitRound(
  run: StageRun,
  shard: Shard,
  left: Left,
  { readings, failed, known, owners }: Found & { readings: Reading[]; failed: Issue[] },
): Promise<RoundResult> {
  const { services, cycle, backend } = run;
  const now = services.now();
  const keys = await services.keyring.ofTenant(cycle.tenant_id);
  const decideOn = (read: Reading, earlier?: SecretReading[]): Decision => {
    const { item, stored, taken } = placeOf(read, { known, owners }, backend);
    if (taken) return { ...pathTaken(item), write: null };
    const { judge, lifecycle } = run;
    const id = randomUUID();
    return decide({ item, known: stored, id, backend, judge, lifecycle, keys, now, ...(earlier && { earlier }) });
  };
  const atFirst = readings.map((item) => decideOn(item));
  const decisions = backend.version_history ? await withHistory(run, shard, atFirst, known, decideOn) : atFirst;
  const calls = run.takeCalls();

  return await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdShard(tx, shard);
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
    const landed = decisions.filter(({ write }) => write === null || written.has(write.id));
    const overtaken = decisions.filter(({ write }) => write !== null && !written.has(write.id)).map(({ item }) => item);
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
    await appendEvents(tx, backend.id, eventsOf(run, landed, news), now);

    const settled = [...landed.map(({ item }) => item.remote), ...failed.map(({ remotePath }) => remotePath)];
    const gone = new Set(settled);
    const rest = [...left].flatMap(([remote, [local, facts]]): ShardRef[] =>
      gone.has(remote) ? [] : [[remote, local, facts]],
    );
    const counts = {
      ...countOutcomes([...landed.map(({ outcome }) => outcome), ...failed.map(({ outcome }) => outcome)]),
      history_incomplete: landed.filter(({ issues }) => issues.some(({ outcome }) => outcome === 'history')).length,
      warned: landed.filter(({ issues }) => issues.some(({ outcome }) => outcome === 'warned')).length,
    };
    const next = await settleShard(tx, shard, { left: rest, counts, calls, now });
    return { settled, overtaken, next };
  });
}

/** Decisions that store a value, with the versions before it that were not seen here. */
async function withHistory(
  run: StageRun,
  shard: Shard,
  decisions: Decision[],
  known: Map<string, StoredKey>,
  decideOn: (item: Reading, earlier: SecretReading[]) => Decision,
): Promise<Decision[]> {
  const { capabilities } = await run.connect();
  if (!capabilities.history) return decisions;
  // As many as a part has; the connection bounds how many calls run at a time.
  return await Promise.all(
    decisions.map(async (decision): Promise<Decision> => {
      if (!decision.write?.ciphertext) return decision;
      const { item } = decision;
      const { earlier, issue } = await readHistory(run, item, known.get(item.remote) ?? null, shard.attempts);
      const again = decideOn(item, earlier);
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

/** What the key's story tells of a decision that landed. That a key came to be is in its own row. */
function changesOf({ known, write }: Decision): NewKeyChange[] {
  if (!known || !write) return [];
  const change = (word: KeyChange): NewKeyChange => ({
    keyId: known.id,
    change: word,
    from: known.state,
    to: write.state,
    version: write.version,
  });
  const moved = known.state !== write.state;
  return [
    ...(moved ? [change(write.state === 'expired' ? 'expired' : known.state === 'expired' ? 'renewed' : 'found')] : []),
    ...(write.ciphertext ? [change('rotated')] : []),
  ];
}

function eventsOf(run: StageRun, landed: Decision[], newlyFound: ReadonlySet<string>): NewEvent[] {
  const { backend, cycle } = run;
  const about = (type: Parameters<typeof keyEvents>[0], keys: Parameters<typeof keyEvents>[3]) =>
    keyEvents(type, backend, cycle.id, keys);
  const pathsWith = (outcome: Outcome) => landed.filter((one) => one.outcome === outcome).map(({ item }) => item.local);
  const rotated = landed.flatMap(({ item, known, write }) =>
    known && write?.ciphertext ? [{ path: item.local, from_version: known.version, to_version: write.version }] : [],
  );
  const expired = landed.filter(({ known, write }) => write?.state === 'expired' && known?.state !== 'expired');
  const invalid = landed.flatMap(({ item, known, finding }) => {
    const [problem] = finding?.rejected && newlyFound.has(item.remote) ? finding.problems : [];
    const served = known && isServed(known, run.services.now()) ? known.version : null;
    return problem ? [{ path: item.local, ...problem, served_version: served }] : [];
  });
  return [
    ...about('keys.created', pathsWith('added')),
    ...about('keys.rotated', rotated),
    ...about('keys.restored', pathsWith('restored')),
    ...about(
      'keys.expired',
      expired.map(({ item }) => item.local),
    ),
    ...about('keys.invalid', invalid),
  ];
}

function countOutcomes(all: readonly Issue['outcome'][]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const count = all.filter((one) => one === outcome).length;
    if (count > 0) counts[outcome] = count;
  }
  return counts;
}
