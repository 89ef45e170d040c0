import { provesContainer, refuseOtherContainer } from '@keyferry/connections';
import { type Candidate, keyNames, liveKeys, possibleCandidates } from '@keyferry/store';
import { listingIssues, loadIndex, missedKeys, readListing, renamedKeys } from '../stages/listing.ts';
import { mapRef, WantedPaths } from '../stages/map-ref.ts';
import type { BackendRun } from '../stages/stage-run.ts';
import { type PlanChange, reported } from './change.ts';
import { PackedRefs } from './packed-refs.ts';
import type { PlanRun } from './plan-run.ts';
import type { Tally } from './tally.ts';

const missedBatch = 1_000;

/** Proves the container and reads the whole listing, as the discover stage does. Returns what follows, and the first lines. */
export async function survey(run: BackendRun, tally: Tally): Promise<{ plan: PlanRun; changes: PlanChange[] }> {
  const { backend } = run;
  const connection = await run.connect();
  const [probe, known] = await Promise.all([connection.probe(run.signal), loadIndex(run)]);
  refuseOtherContainer(backend, probe);
  const plan: PlanRun = {
    ...run,
    // The discover stage notes it, and the later stages hold the vault to it.
    backend: { ...backend, container_id: backend.container_id ?? probe.containerId },
    known,
    toRead: new PackedRefs(),
    excluded: new PackedRefs(),
    wanted: new WantedPaths(),
    containerProven: provesContainer(backend, probe),
    tally,
    gone: new Set(),
    settled: new Set(),
    renames: new Map(),
    taken: new Set(),
  };
  const listed = await readListing(run, connection, known, {
    wanted({ path, facts }) {
      const ref = mapRef(run.mapping, path, facts && JSON.stringify(facts));
      if (ref.local !== null) plan.wanted.add(ref.local);
      plan.toRead.add([ref.remote, ref.local, ref.facts]);
    },
    excluded: ({ path }) => plan.excluded.add([path, null, null]),
  });
  // Before anything else is asked of the scope, which notes what matched.
  const { empty, refused } = listingIssues(run, connection);
  Object.assign(tally.counts, listed, { empty: empty.length, credentials_refused: refused.length });
  const leaving = await lookAtMissed(plan);
  if (!backend.names_current) await lookForRenames(plan, leaving);
  return { plan, changes: [...empty, ...refused].map((issue) => reported('warn', null, issue)) };
}

/** Counts keys that the listing did not bring. Returns the ids of those that may go, where another name might be theirs. */
async function lookAtMissed(plan: PlanRun): Promise<Set<string>> {
  const { counts } = plan.tally;
  const leaving = new Set<string>();
  for await (const keys of eachMissed(plan)) {
    counts.out_of_scope += missedKeys(plan, keys).beyond.length;
    counts.kept += keys.filter(({ kept }) => kept).length;
    if (plan.backend.names_current) continue;
    for (const cause of ['absent', 'out_of_scope'] as const)
      for (const { id } of await whoMayGo(plan, keys, cause)) leaving.add(id);
  }
  return leaving;
}

/** Live keys that the listing did not bring, in batches. Can be asked for again and again: none is kept in memory. */
export async function* eachMissed(
  plan: PlanRun,
): AsyncGenerator<(Candidate & { kept: boolean; tombstone: boolean })[]> {
  const { services, backend, known, signal } = plan;
  for (const hashes of known.unseenLive(missedBatch)) {
    signal.throwIfAborted();
    yield await services.store.inTenant(backend.tenant_id, (tx) => liveKeys(tx, backend.id, hashes));
  }
}

/** Those of the missed keys that would be a cycle's candidates for this cause. */
export async function whoMayGo(plan: PlanRun, keys: readonly Candidate[], cause: 'absent' | 'out_of_scope') {
  const { services, backend } = plan;
  const { inside, beyond } = missedKeys(plan, [...keys]);
  const missed = cause === 'absent' ? inside : beyond;
  return await services.store.inTenant(backend.tenant_id, (tx) => possibleCandidates(tx, backend.id, missed, cause));
}

/** All at once, as a cycle looks at them, since they may want each other's names. */
async function lookForRenames(plan: PlanRun, leaving: ReadonlySet<string>): Promise<void> {
  const { services, backend, signal, renames } = plan;
  for await (const page of keyNames(services.store, backend.tenant_id, backend.id)) {
    signal.throwIfAborted();
    for (const { id, remotePath, localPath, newPath } of renamedKeys(plan, page))
      if (!leaving.has(id)) renames.set(id, { id, remotePath, localPath, newPath });
  }
}
