import { provesContainer, refuseOtherContainer } from '@keyferry/connections';
import { type Stage, shardSize } from '@keyferry/core';
import {
  addCandidates,
  addIssues,
  addRenames,
  addShards,
  clearDiscovery,
  countCandidates,
  forgetOldWrites,
  holdStage,
  keyNames,
  liveKeys,
  moveStage,
  noteNamed,
  noteProbe,
  noteSeen,
  ownersOf,
  type ShardRef,
  type Tx,
} from '@keyferry/store';
import type { SecretRef } from '@keyferry/vaults';
import type { KnownIndex } from '../known-index.ts';
import { listingIssues, loadIndex, missedKeys, readListing, renamedKeys } from './listing.ts';
import { makeSecrets } from './make-secrets.ts';
import { isOwn, mapRef, WantedPaths } from './map-ref.ts';
import type { StageHandler, StageRun } from './stage-run.ts';

const candidateBatch = 1_000;
/** So many shards may wait to be written: each is some hundred kilobytes. */
const shardsInMemory = 4;

/**
 * Proves the container, then streams the listing against what is known, and never looks at a value. What is new, changed
 * or of unknown version goes into shards; what a complete listing lacks, or shows deleted, becomes a candidate.
 */
export const discover: StageHandler = async (run) => {
  const { services, cycle, backend, signal } = run;
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    await clearDiscovery(tx, cycle.id);
  });
  const connection = await run.connect();
  const [probe, known] = await Promise.all([connection.probe(signal), loadIndex(run)]);
  refuseOtherContainer(backend, probe);

  const shards = new ShardWriter(run);
  const listed = await readListing(run, connection, known, { wanted: (ref, isNew) => shards.add(ref, isNew) });
  await shards.flush();
  // Before anything else is asked of the scope, which notes what matched.
  const { empty, refused } = listingIssues(run, connection);
  const missed = await nominateMissing(run, known);
  const unmade = await makeSecrets(run, known);
  const counts = {
    ...listed,
    ...missed,
    empty: empty.length,
    credentials_refused: refused.length,
    unpushed: unmade.length,
  };
  const renaming = backend.names_current ? 0 : await nominateRenamed(run);
  const calls = run.takeCalls();

  return await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    await noteProbe(tx, backend, probe);
    if (renaming === 0) await noteNamed(tx, backend);
    await addIssues(tx, cycle, [...empty, ...refused, ...unmade]);
    await forgetOldWrites(tx, backend.id, services.now());
    const next = stageAfter({ shards: shards.count, candidates: await countCandidates(tx, cycle.id) });
    const set = {
      listing_complete: true,
      container_proven: provesContainer(backend, probe),
      paths_clear_under: shards.pathsAreClear ? JSON.stringify(backend.path_mapping) : null,
      shards_total: shards.count,
      shards_left: shards.count,
    };
    return [await moveStage(tx, cycle, next, { counts, calls, now: services.now(), set })];
  });
};

/** Stages that have nothing to do are left out, so that a cycle in which nothing changed is two jobs. */
function stageAfter(work: { shards: number; candidates: number }): Stage {
  if (work.shards > 0) return 'validate';
  return work.candidates > 0 ? 'deprecate' : 'notify';
}

/**
 * Live keys that the listing did not bring become candidates: as missing, or, where the settings leave them out by now and
 * the listing did not look for them, as out of scope. Returns how many are outside, and how many a person keeps.
 */
async function nominateMissing(run: StageRun, known: KnownIndex): Promise<{ out_of_scope: number; kept: number }> {
  const { services, cycle, backend } = run;
  const counts = { out_of_scope: 0, kept: 0 };
  for (const hashes of known.unseenLive(candidateBatch)) {
    run.signal.throwIfAborted();
    await services.store.inTenant(cycle.tenant_id, async (tx) => {
      await holdStage(tx, cycle);
      const keys = await liveKeys(tx, backend.id, hashes);
      const { inside, beyond } = missedKeys(run, keys);
      counts.out_of_scope += beyond.length;
      counts.kept += keys.filter(({ kept }) => kept).length;
      await addCandidates(tx, cycle, idsOf(inside), 'absent', backend.write_seq);
      // A listing that did not look for a deprecated key says nothing about it: it is not archived for what was proven before.
      const paths = beyond.map(({ remotePath }) => remotePath);
      await noteSeen(tx, backend.id, paths, services.now(), { proven: true });
      await addCandidates(tx, cycle, idsOf(beyond), 'out_of_scope');
    });
  }
  return counts;
}

const idsOf = (keys: readonly { id: string }[]) => keys.map(({ id }) => id);

/** Keys that the path mapping of now gives another name become candidates for it. Returns how many there are. */
async function nominateRenamed(run: StageRun): Promise<number> {
  const { services, cycle, backend, signal } = run;
  let count = 0;
  for await (const page of keyNames(services.store, cycle.tenant_id, backend.id)) {
    signal.throwIfAborted();
    const renamed = renamedKeys(run, page);
    count += renamed.length;
    await services.store.inTenant(cycle.tenant_id, async (tx) => {
      await holdStage(tx, cycle);
      await addRenames(tx, cycle, renamed);
    });
  }
  return count;
}

/** Collects refs into shards and writes them while the listing goes on: all that are full by then, one time after another. */
class ShardWriter {
  readonly #run: StageRun;
  #refs: ShardRef[] = [];
  #allNew = true;
  #full: { refs: ShardRef[]; allNew: boolean }[] = [];
  #writing: Promise<void> | null = null;
  readonly #wanted = new WantedPaths();
  #anyTaken = false;
  count = 0;

  constructor(run: StageRun) {
    this.#run = run;
  }

  async add({ path, facts }: SecretRef, isNew: boolean): Promise<void> {
    const { remote, local, facts: text } = mapRef(this.#run.mapping, path, facts && JSON.stringify(facts));
    this.#refs.push([remote, local, text]);
    if (local !== null) this.#wanted.add(local);
    this.#allNew &&= isNew;
    if (this.#refs.length < shardSize) return;
    this.#endShard();
    if (this.#full.length >= shardsInMemory) await this.#writing;
  }

  /** Whether every ref written so far can have its local path, and no two want the same. */
  get pathsAreClear(): boolean {
    return !this.#anyTaken && !this.#wanted.anyTwice;
  }

  /** Writes what is left, and waits for all of it. */
  async flush(): Promise<void> {
    if (this.#refs.length > 0) this.#endShard();
    await this.#writing;
  }

  #endShard(): void {
    this.#full.push({ refs: this.#refs, allNew: this.#allNew });
    [this.#refs, this.#allNew] = [[], true];
    this.#writing ??= this.#writeAll();
    // Whoever waits for it next is told; nobody may be waiting when it fails.
    this.#writing.catch(() => {});
  }

  async #writeAll(): Promise<void> {
    const { services, cycle } = this.#run;
    while (this.#full.length > 0) {
      const [shards, first] = [this.#full, this.count];
      this.#full = [];
      this.count += shards.length;
      await services.store.inTenant(cycle.tenant_id, async (tx) => {
        await holdStage(tx, cycle);
        await addShards(tx, cycle, first, shards, services.now());
        this.#anyTaken ||= await this.#isAnyTaken(
          tx,
          shards.flatMap(({ refs }) => refs),
        );
      });
    }
    this.#writing = null;
  }

  /** By its form, by a key of another backend, or by that of another secret. */
  async #isAnyTaken(tx: Tx, refs: readonly ShardRef[]): Promise<boolean> {
    const owners = await ownersOf(
      tx,
      refs.flatMap(([, local]) => local ?? []),
    );
    return refs.some(([remote, local]) => {
      const owner = local === null ? null : owners.get(local);
      return owner === null || (owner && !isOwn(owner, this.#run.backend, remote));
    });
  }
}
