import { classOf, isTransient, KeyferryError, stageRetryDelay } from '@keyferry/core';
import { type Dispatch, type Shard, type ShardRef, settleShard } from '@keyferry/store';
import type { FetchOutcome, FetchRef, ListedFacts } from '@keyferry/vaults';
import { commitPart, emptyPart, type Left, type Part } from './commit-part.ts';
import { leaveOutBeyondLimit } from './key-limit.ts';
import type { BackendRun, StageRun } from './stage-run.ts';

/** A shard is written in parts of this many bytes of values, so that large values don't pile up. */
const partBytes = 8 * 1024 * 1024;
/** So many failures in a row that may pass by themselves are the vault's state, not the secrets': asking goes on later. */
const patience = 40;

/** Reads a shard's secrets and settles each: stored, restored, left as it is, or reported. */
export async function syncShard(run: StageRun, shard: Shard): Promise<Dispatch[]> {
  const settle: Settle = (left, part) => commitPart(run, shard, left, part);
  const included = shard.refs.filter(([remote]) => run.scope.includes(remote) && !run.scope.excludes(remote));
  if (included.length < shard.refs.length) {
    const next = await leaveOut(run, shard, included);
    if (included.length === 0) return next;
  }
  const { refs, next } = await leaveOutBeyondLimit(run, { ...shard, refs: included });
  return refs.length > 0 ? await readShard(run, { ...shard, refs }, settle) : next;
}

/**
 * Takes out of a shard what is to be carried no more, by settings that are newer than the listing: what is proxied by now must
 * not be stored. Returns the jobs that come next, where nothing is left.
 */
async function leaveOut({ services, cycle }: StageRun, shard: Shard, left: readonly ShardRef[]): Promise<Dispatch[]> {
  const count = shard.refs.length - left.length;
  const counts = { skipped: count, excluded: count };
  return await services.store.inTenant(cycle.tenant_id, (tx) =>
    settleShard(tx, shard, { left, counts, calls: {}, now: services.now() }),
  );
}

/** Settles what was read, and takes it out of what is left. Returns the jobs that come next, once nothing is left. */
type Settle = (left: Left, part: Part) => Promise<Dispatch[]>;

/**
 * Reads secrets and has each settled. What may pass by itself stays in the shard and makes this run fail at its end, so that
 * it is tried again; at the last attempt it is settled too, as a failure, if the vault itself is well. What seems absent is
 * asked for twice, the second time after the container has been seen.
 */
export async function readShard(
  run: BackendRun,
  shard: Pick<Shard, 'refs' | 'attempts'>,
  settle: Settle,
): Promise<Dispatch[]> {
  const left: Left = new Map(shard.refs.map(([remote, local, facts]) => [remote, [validated(local), facts]]));
  const connection = await run.connect();
  const first = await settleReads(run, settle, left, { tolerate: mayPass, doubt: isAbsent });
  if (left.size === 0) return first.next;

  if (first.doubted > 0) {
    await connection.probe(run.signal);
    const second = await settleReads(run, settle, left, { tolerate: mayPass, doubt: () => false });
    if (left.size === 0) return second.next;
    first.reason = second.reason ?? first.reason;
  }
  const reason = first.reason ?? new KeyferryError('vault_invalid', 'The vault gave no answer for some secrets.');
  if (stageRetryDelay(classOf(reason), shard.attempts) !== null) throw reason;
  // A vault that does not answer at all is no property of these secrets: the probe rejects, and the shard gives up.
  await connection.probe(run.signal);
  const last = await settleReads(run, settle, left, { tolerate: () => false, doubt: () => false });
  if (left.size === 0) return last.next;
  const rest = { ...emptyPart(), failed: [...left.keys()].map((remote) => ({ remote, error: reason })) };
  return await settle(left, rest);
}

interface Reads {
  /** The jobs that come next, once nothing is left. */
  next: Dispatch[];
  /** Why something was left. */
  reason: Error | null;
  /** How many were left because they seem absent. */
  doubted: number;
}

/** Reads all that is left and settles it, but for failures that are tolerated or doubted: those stay left. */
async function settleReads(
  run: BackendRun,
  settle: Settle,
  left: Left,
  judge: { tolerate: (error: Error) => boolean; doubt: (error: Error) => boolean },
): Promise<Reads> {
  const connection = await run.connect();
  const reads: Reads = { next: [], reason: null, doubted: 0 };
  let failuresInARow = 0;
  let part = emptyPart();
  for await (const outcome of connection.fetch(refsOf(left), run.signal)) {
    const error = failureOf(outcome);
    failuresInARow = error && mayPass(error) ? failuresInARow + 1 : 0;
    if (error && judge.tolerate(error)) reads.reason = error;
    else if (error && judge.doubt(error)) reads.doubted++;
    else collect(part, outcome, left.get(outcome.path)?.[0] ?? '');
    if (failuresInARow >= patience) break;
    if (part.bytes * versionsOf(run) < partBytes) continue;
    reads.next = await settle(left, part);
    part = emptyPart();
  }
  run.signal.throwIfAborted();
  // The last part may have been the end of the shard already.
  if (left.size > 0) reads.next = await settle(left, part);
  return reads;
}

/** How many values of a secret may be in memory. */
const versionsOf = ({ backend }: BackendRun) => (backend.version_history ? backend.max_versions : 1);

const refsOf = (left: Left): FetchRef[] =>
  [...left].map(([path, [, facts]]) => ({ path, facts: facts === null ? null : (JSON.parse(facts) as ListedFacts) }));

function validated(local: string | null): string {
  if (local === null) throw new Error('A shard came to be synced before it was validated.');
  return local;
}

const failureOf = (outcome: FetchOutcome) => ('error' in outcome ? outcome.error : null);

/** Not the secret's own failure: it is asked for again before it is reported. */
function mayPass(error: Error): boolean {
  const failureClass = classOf(error);
  const ofContainer = error instanceof KeyferryError && error.code.startsWith('container_');
  return isTransient(failureClass) || failureClass === 'unauthenticated' || ofContainer;
}

/** A wrong idea of the container makes everything in it look absent. A deleted secret is shown by its container. */
const isAbsent = (error: Error): boolean => classOf(error) === 'not_found';

function collect(part: Part, outcome: FetchOutcome, local: string): void {
  if ('error' in outcome) part.failed.push({ remote: outcome.path, error: outcome.error });
  else {
    part.readings.push({ remote: outcome.path, local, reading: outcome.reading });
    part.bytes += outcome.reading.value.size;
  }
}
