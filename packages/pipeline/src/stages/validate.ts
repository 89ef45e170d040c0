import { type Outcome, shardsAtATime } from '@keyferry/core';
import {
  addIssues,
  countPendingShards,
  type Dispatch,
  holdStage,
  type Issue,
  loadKeys,
  moveStage,
  ownersOf,
  readRefs,
  releaseShards,
  type ShardRef,
  type StoredKey,
  setRefs,
  type Tx,
} from '@keyferry/store';
import { logSkipped, type Skipped } from '../log-cycle.ts';
import { type MappedRef, mapRef, WantedPaths } from './map-ref.ts';
import type { BackendRun, StageHandler, StageRun } from './stage-run.ts';

/** So many shards are in memory at a time: each is some hundred kilobytes. */
const shardsARead = 8;

/**
 * Sees that each ref can have its local path, and takes out those that can't: of a wrong form, or taken. It calls no vault.
 * Where the listing has shown already that all of them can, under the mapping of now, there is nothing to look at.
 *
 * Where two refs of the cycle want one path, neither gets it; that is rarely so, and seen only once all were looked at:
 * then the work is undone and done again with those paths known. All of it is one transaction, since a second run over
 * what a first has taken refs out of would not see such pairs.
 */
export const validate: StageHandler = async (run) => {
  try {
    return await validateAll(run, null);
  } catch (error) {
    if (error instanceof WantedTwice) return await validateAll(run, error.paths);
    throw error;
  }
};

/** Undoes the transaction it is thrown in. */
class WantedTwice extends Error {
  readonly paths: WantedPaths;

  constructor(paths: WantedPaths) {
    super('More than one secret maps to a path.');
    this.paths = paths;
  }
}

/** `wanted` is what all refs of the cycle want, where that is known. */
async function validateAll(run: StageRun, wanted: WantedPaths | null): Promise<Dispatch[]> {
  const { services, cycle, backend } = run;
  const clear = cycle.paths_clear_under === JSON.stringify(backend.path_mapping);
  const { jobs, skipped } = await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    const found = new WantedPaths();
    const skipped: Skipped = { count: 0, first: [] };
    for (let number = 0; !clear && number < cycle.shards_total; number += shardsARead) {
      run.signal.throwIfAborted();
      const shards = await readRefs(tx, cycle.id, number, shardsARead);
      const mapped = shards.map(({ number, refs }) => ({
        number,
        refs: refs.map(([remote, stored, facts]) => ({ ...mapRef(run.mapping, remote, facts), stored })),
      }));
      for (const local of localsOf(mapped)) found.add(local);
      if (wanted || !found.anyTwice) note(skipped, await validateShards(run, tx, mapped, wanted));
    }
    if (!wanted && found.anyTwice) throw new WantedTwice(found);
    const left = await countPendingShards(tx, cycle.id);
    const jobs = await releaseShards(tx, cycle.id, shardsAtATime, services.now());
    const next = left > 0 ? 'sync' : 'deprecate';
    const set = { shards_left: left };
    const moved = await moveStage(tx, cycle, next, { counts: {}, calls: {}, now: services.now(), set });
    return { jobs: left > 0 ? jobs : [moved], skipped };
  });
  logSkipped(services.log, run, skipped);
  return jobs;
}

const mostLogged = 20;

function note(skipped: Skipped, issues: readonly Issue[]): void {
  skipped.count += issues.length;
  skipped.first.push(...issues.slice(0, mostLogged - skipped.first.length));
}

/** Takes out what can't have its local path. Returns what is said of it. */
async function validateShards(
  run: StageRun,
  tx: Tx,
  shards: MappedShard[],
  wanted: WantedPaths | null,
): Promise<Issue[]> {
  const { cycle } = run;
  const judged = await judgeShards(run, tx, shards, wanted);
  const issues = judged.flatMap(({ refs }) => refs.flatMap(({ issue }) => issue ?? []));
  await addIssues(tx, cycle, issues);
  const changed = judged.filter(({ refs }) => refs.some(({ issue, local, stored }) => issue || local !== stored));
  const rewritten = changed.map(({ number, refs }) => {
    const left = refs.flatMap((ref): ShardRef[] => (ref.issue ? [] : [[ref.remote, ref.local, ref.facts]]));
    return { number, refs: left, skipped: refs.length - left.length };
  });
  if (rewritten.length > 0) await setRefs(tx, cycle.id, rewritten);
  return issues;
}

/** Which refs can have their local paths, and why the others can't. */
export async function judgeShards(
  run: Pick<BackendRun, 'backend'>,
  tx: Tx,
  shards: MappedShard[],
  wanted: WantedPaths | null,
): Promise<JudgedShard[]> {
  const { backend } = run;
  const owners = await ownersOf(tx, localsOf(shards));
  const atFirst = shards.map(({ number, refs }) => ({
    number,
    refs: refs.map((ref) => judge(run, ref, wanted, owners)),
  }));
  const doubtful = atFirst.flatMap(({ refs }) => refs.flatMap(({ issue, remote }) => (issue ? [remote] : [])));
  const known = doubtful.length > 0 ? await loadKeys(tx, backend.id, doubtful) : new Map<string, StoredKey>();
  return atFirst.map(({ number, refs }) => ({
    number,
    refs: refs.map((ref) => keepingItsName(ref, known)),
  }));
}

/** A key that there is keeps the name it has until it is renamed, whatever its mapping of now would call it. */
function keepingItsName(ref: JudgedRef, known: ReadonlyMap<string, StoredKey>): JudgedRef {
  const key = ref.issue ? known.get(ref.remote) : undefined;
  return key ? { ...ref, local: key.localPath, issue: null } : ref;
}

interface MappedShard {
  number: number;
  refs: ValidatedRef[];
}

interface ValidatedRef extends MappedRef {
  /** The local path that the shard has for it. */
  stored: string | null;
}

interface JudgedRef extends ValidatedRef {
  issue: Issue | null;
}

interface JudgedShard {
  number: number;
  refs: JudgedRef[];
}

const localsOf = (shards: readonly MappedShard[]): string[] =>
  shards.flatMap(({ refs }) => refs.flatMap(({ local }) => local ?? []));

function judge(
  { backend }: Pick<BackendRun, 'backend'>,
  ref: ValidatedRef,
  wanted: WantedPaths | null,
  owners: Map<string, { backendId: string; remotePath: string }>,
): JudgedRef {
  const { remote, local, problem } = ref;
  const judged = (code: string, message: string) => ({ ...ref, issue: issue(remote, code, message) });
  if (local === null) return { ...ref, issue: problem && issue(remote, problem.code, problem.message) };
  const owner = owners.get(local);
  if (owner && owner.backendId !== backend.id)
    return judged('path_taken', `"${local}" belongs to a key of another backend.`);
  // Inside a backend the incumbent keeps its path, and of two newcomers none gets it.
  if (owner && owner.remotePath !== remote)
    return judged('path_taken', `"${local}" is the path of "${owner.remotePath}".`);
  if (!owner && wanted?.isTwice(local)) return judged('path_ambiguous', `More than one secret maps to "${local}".`);
  return { ...ref, issue: null };
}

function issue(remotePath: string, code: string, message: string): Issue {
  const outcome: Outcome = 'skipped';
  return { remotePath, outcome, code, class: null, message };
}
