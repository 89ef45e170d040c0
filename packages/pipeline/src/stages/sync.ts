import { classOf, isTransient, KeyferryError, stageRetryDelay } from '@keyferry/core';
import type { Dispatch, Shard } from '@keyferry/store';
import type { FetchOutcome } from '@keyferry/vaults';
import { commitPart, emptyPart, type Part } from './commit-part.ts';
import type { StageRun } from './stage-run.ts';

/** A shard is written in parts of this many bytes of values, so that large values don't pile up. */
const partBytes = 8 * 1024 * 1024;
/** So many failures in a row that may pass by themselves are the vault's state, not the secrets': asking goes on later. */
const patience = 40;

/**
 * Reads a shard's secrets and settles each: stored, restored, left as it is, or reported. What may pass by itself stays
 * in the shard and makes this run fail at its end, so that it is tried again; at the last attempt it is reported too, if
 * the vault itself is well.
 */
export async function syncShard(run: StageRun, shard: Shard): Promise<Dispatch[]> {
  const left = new Map(shard.refs.map(([remote, local]) => [remote, validated(local)]));
  const connection = await run.connect();
  let postponed: Error | null = null;
  let failuresInARow = 0;
  let part = emptyPart();

  for await (const outcome of connection.fetch([...left.keys()], run.signal)) {
    const error = failureOf(outcome);
    if (error && mayPass(error)) {
      postponed = error;
      if (++failuresInARow >= patience) break;
      continue;
    }
    failuresInARow = 0;
    collect(part, outcome, left.get(outcome.path) ?? outcome.path);
    if (part.bytes < partBytes) continue;
    await commitPart(run, shard, left, part);
    part = emptyPart();
  }
  run.signal.throwIfAborted();

  const next = await commitPart(run, shard, left, part);
  if (left.size === 0) return next;
  const reason = postponed ?? new KeyferryError('vault_invalid', 'The vault gave no answer for some secrets.');
  if (stageRetryDelay(classOf(reason), shard.attempts) !== null) throw reason;
  // A vault that does not answer at all is no property of these secrets: the probe rejects, and the shard gives up.
  await connection.probe(run.signal);
  const rest = { ...emptyPart(), failed: [...left.keys()].map((remote) => ({ remote, error: reason })) };
  return await commitPart(run, shard, left, rest);
}

function validated(local: string | null): string {
  if (local === null) throw new Error('A shard came to be synced before it was validated.');
  return local;
}

const failureOf = (outcome: FetchOutcome) => ('error' in outcome ? outcome.error : null);

/** Not the secret's own failure: it is asked for again before it is reported. */
function mayPass(error: Error): boolean {
  const failureClass = classOf(error);
  const ofContainer = error instanceof KeyferryError && error.code === 'container_missing';
  return isTransient(failureClass) || failureClass === 'unauthenticated' || ofContainer;
}

function collect(part: Part, outcome: FetchOutcome, local: string): void {
  if ('error' in outcome) part.failed.push({ remote: outcome.path, error: outcome.error });
  else {
    part.readings.push({ remote: outcome.path, local, reading: outcome.reading });
    part.bytes += outcome.reading.value.size;
  }
}
