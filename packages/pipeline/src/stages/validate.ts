import { describePathProblem, type Outcome, pathProblem, shardsAtATime } from '@keyferry/core';
import {
  addIssues,
  countPendingShards,
  holdStage,
  type Issue,
  moveStage,
  ownersOf,
  readRefs,
  releaseShards,
  remoteHash,
  type ShardRef,
  type ShardRefs,
  setMappedRefs,
  type Tx,
} from '@keyferry/store';
import type { StageHandler, StageRun } from './stage-run.ts';

/** So many shards are in memory at a time: each is some hundred kilobytes. */
const shardsARead = 8;

/**
 * Gives each ref its local path, and takes out those that can't be carried: of a wrong form, or taken. It calls
 * no vault. Two passes: the first finds local paths that two refs of this cycle want, since then neither gets it. All of
 * it is one transaction, since a second run over what a first has taken refs out of would not see those pairs.
 */
export const validate: StageHandler = async (run) => {
  const { services, cycle } = run;
  const wantedTwice = await findDuplicates(run);
  return await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    for (let number = 0; number < cycle.shards_total; number += shardsARead) {
      run.signal.throwIfAborted();
      await validateShards(run, tx, await readRefs(tx, cycle.id, number, shardsARead), wantedTwice);
    }
    const left = await countPendingShards(tx, cycle.id);
    const jobs = await releaseShards(tx, cycle.id, shardsAtATime, services.now());
    const next = left > 0 ? 'sync' : 'deprecate';
    const set = { shards_left: left };
    const moved = await moveStage(tx, cycle, next, { counts: {}, calls: {}, now: services.now(), set });
    return left > 0 ? jobs : [moved];
  });
};

async function validateShards(run: StageRun, tx: Tx, shards: ShardRefs[], wantedTwice: Set<string>): Promise<void> {
  const { cycle } = run;
  const mapped = shards.map(({ number, refs }) => ({ number, refs: refs.map((ref) => mapRef(run, ref)) }));
  const locals = mapped.flatMap(({ refs }) => refs.flatMap(({ local }) => local ?? []));
  const owners = await ownersOf(tx, locals);
  const judged = mapped.map(({ number, refs }) => ({
    number,
    refs: refs.map((ref) => judge(run, ref, wantedTwice, owners)),
  }));
  await addIssues(
    tx,
    cycle,
    judged.flatMap(({ refs }) => refs.flatMap(({ issue }) => issue ?? [])),
  );
  const passed = judged.map(({ number, refs }) => {
    const left = refs.flatMap((ref): ShardRef[] => (ref.issue ? [] : [[ref.remote, ref.local, ref.facts]]));
    return { number, refs: left, skipped: refs.length - left.length };
  });
  await setMappedRefs(tx, cycle.id, passed);
}

interface MappedRef {
  remote: string;
  /** Null where the form of the name alone rules it out; `problem` says how. */
  local: string | null;
  facts: string | null;
  problem: { code: string; message: string } | null;
}

function mapRef({ mapping }: StageRun, [remote, , facts]: ShardRef): MappedRef {
  const local = mapping.toLocal(remote);
  const problem = pathProblem(local);
  if (!problem) return { remote, local, facts, problem: null };
  const message = `"${remote}" can't be carried as "${local}": ${describePathProblem(problem)}.`;
  return { remote, local: null, facts, problem: { code: 'path_incompatible', message } };
}

/** Local paths, by hash, that more than one ref of the cycle maps to. */
async function findDuplicates(run: StageRun): Promise<Set<string>> {
  const { services, cycle } = run;
  const seen = new Set<string>();
  const duplicates = new Set<string>();
  for (let number = 0; number < cycle.shards_total; number += shardsARead) {
    run.signal.throwIfAborted();
    const shards = await services.store.inTenant(cycle.tenant_id, (tx) => readRefs(tx, cycle.id, number, shardsARead));
    for (const ref of shards.flatMap(({ refs }) => refs)) {
      const { local } = mapRef(run, ref);
      if (local === null) continue;
      const hash = hashText(local);
      if (seen.has(hash)) duplicates.add(hash);
      seen.add(hash);
    }
  }
  return duplicates;
}

function judge(
  { backend }: StageRun,
  ref: MappedRef,
  wantedTwice: Set<string>,
  owners: Map<string, { backendId: string; remotePath: string }>,
): MappedRef & { issue: Issue | null } {
  const { remote, local, problem } = ref;
  const judged = (code: string, message: string) => ({ ...ref, issue: issue(remote, code, message) });
  if (local === null) return { ...ref, issue: problem && issue(remote, problem.code, problem.message) };
  const owner = owners.get(local);
  if (owner && owner.backendId !== backend.id)
    return judged('path_taken', `"${local}" belongs to a key of another backend.`);
  // Inside a backend the incumbent keeps its path, and of two newcomers none gets it.
  if (owner && owner.remotePath !== remote)
    return judged('path_taken', `"${local}" is the path of "${owner.remotePath}".`);
  if (!owner && wantedTwice.size > 0 && wantedTwice.has(hashText(local)))
    return judged('path_ambiguous', `More than one secret maps to "${local}".`);
  return { ...ref, issue: null };
}

const hashText = (text: string) => remoteHash(text).toString('latin1');

function issue(remotePath: string, code: string, message: string): Issue {
  const outcome: Outcome = 'skipped';
  return { remotePath, outcome, code, class: null, message };
}
