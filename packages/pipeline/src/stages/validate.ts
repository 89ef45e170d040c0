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
  setMappedRefs,
  type Tx,
} from '@keyferry/store';
import type { StageHandler, StageRun } from './stage-run.ts';

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
    for (let number = 0; number < cycle.shards_total; number++) {
      run.signal.throwIfAborted();
      await validateShard(run, tx, number, wantedTwice);
    }
    const left = await countPendingShards(tx, cycle.id);
    const jobs = await releaseShards(tx, cycle.id, shardsAtATime, services.now());
    const next = left > 0 ? 'sync' : 'deprecate';
    const set = { shards_left: left };
    const moved = await moveStage(tx, cycle, next, { counts: {}, calls: {}, now: services.now(), set });
    return left > 0 ? jobs : [moved];
  });
};

async function validateShard(run: StageRun, tx: Tx, number: number, wantedTwice: Set<string>): Promise<void> {
  const { cycle } = run;
  const refs = (await readRefs(tx, cycle.id, number)) ?? [];
  const mapped = refs.map((ref) => mapRef(run, ref));
  const owners = await ownersOf(
    tx,
    mapped.flatMap(({ local }) => (local === null ? [] : [local])),
  );
  const judged = mapped.map((ref) => judge(run, ref, wantedTwice, owners));
  const passed = judged.flatMap((ref): ShardRef[] => (ref.issue ? [] : [[ref.remote, ref.local, ref.facts]]));
  const issues = judged.flatMap((ref) => ref.issue ?? []);
  await addIssues(tx, cycle, issues);
  await setMappedRefs(tx, cycle.id, number, passed, { skipped: issues.length });
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
  for (let number = 0; number < cycle.shards_total; number++) {
    const refs = await services.store.inTenant(cycle.tenant_id, (tx) => readRefs(tx, cycle.id, number));
    for (const ref of refs ?? []) {
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
  if (!owner && wantedTwice.has(hashText(local)))
    return judged('path_ambiguous', `More than one secret maps to "${local}".`);
  return { ...ref, issue: null };
}

const hashText = (text: string) => remoteHash(text).toString('latin1');

function issue(remotePath: string, code: string, message: string): Issue {
  const outcome: Outcome = 'skipped';
  return { remotePath, outcome, code, class: null, message };
}
