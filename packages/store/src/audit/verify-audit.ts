import type { Store } from '../database.ts';
import {
  chainEnds,
  foreignRow,
  isPruningTold,
  readBatches,
  type Tail,
  unsealedTail,
  wrongPlace,
} from './read-chain.ts';
import { type Anchor, type Broken, type Walk, walkChain } from './walk-chain.ts';

export interface Verified {
  /** What was checked, after the batch with this number: what was before it was pruned. */
  from: number;
  rows: number;
  batches: number;
  /** Where the chain ends, or where it is whole up to. */
  head: Anchor;
  /** How many anchors were compared: of what was pruned they tell nothing. */
  anchors: number;
  /** What is not in the chain yet, and can't be checked. */
  unsealed: Tail;
  broken: Broken | null;
}

/**
 * Computes a tenant's chain anew from its beginning, a page at a time, and hands on how many rows were checked so far. Ends at
 * the first place that is not as it was sealed.
 */
export async function* verifyAudit(
  store: Store,
  tenantId: string,
  anchors: readonly Anchor[],
): AsyncGenerator<number, Verified> {
  const { pruned, head } = await store.inTenant(tenantId, chainEnds);
  const toHead = { number: head.number, hash: head.hash.toString('hex') };
  const walk = walkChain(tenantId, pruned, head.number > 0 ? [...anchors, toHead] : anchors);
  // Beside the walk: it reads all rows as well.
  const foreign = store.inTenant(tenantId, foreignRow);
  foreign.catch(() => {});
  const broken = (yield* follow(store, tenantId, walk)) ?? walk.end() ?? (await aside(store, tenantId, walk, foreign));
  const counts = walk.counts();
  return {
    ...counts,
    anchors: anchors.filter(({ number }) => number >= counts.from && number <= walk.at.number).length,
    head: { number: walk.at.number, hash: walk.at.hash.toString('hex') },
    unsealed: await store.inTenant(tenantId, unsealedTail),
    broken: broken && (await withPlace(store, tenantId, broken)),
  };
}

async function* follow(store: Store, tenantId: string, walk: Walk): AsyncGenerator<number, Broken | null> {
  const read = (after: number) => {
    const page = store.inTenant(tenantId, (tx) => readBatches(tx, after));
    // It is waited for, or not needed any more.
    page.catch(() => {});
    return page;
  };
  let next = read(walk.at.number);
  for (;;) {
    const page = await next;
    const last = page.at(-1);
    // Postgres reads on while these are computed.
    if (last) next = read(last.number);
    const broken = walk.check(page);
    yield walk.counts().rows;
    if (last && !broken) continue;
    // Or is it, or all that was left, what was pruned meanwhile?
    const { pruned } = await store.inTenant(tenantId, chainEnds);
    if (pruned.number <= walk.at.number) return broken;
    walk.restart(pruned);
    next = read(pruned.number);
  }
}

/** What following the chain doesn't show: that the log was cut at its beginning, and rows that no batch has. */
async function aside(
  store: Store,
  tenantId: string,
  walk: Walk,
  foreign: ReturnType<typeof foreignRow>,
): Promise<Broken | null> {
  const cut = await store.inTenant(tenantId, async (tx): Promise<Broken | null> => {
    const { pruned } = await chainEnds(tx);
    if (pruned.number > 0 && !(await isPruningTold(tx, pruned)))
      return {
        reason: 'what is before was removed, and not by pruning',
        number: pruned.number + 1,
        batch: null,
        place: null,
        at: null,
      };
    return null;
  });
  if (cut) return cut;
  const row = await foreign;
  return row && { reason: 'a row was added that belongs to no batch', number: walk.at.number, ...row };
}

async function withPlace(store: Store, tenantId: string, broken: Broken): Promise<Broken> {
  const { batch, place } = broken;
  if (batch === null || place !== null) return broken;
  return { ...broken, place: await store.inTenant(tenantId, (tx) => wrongPlace(tx, batch)) };
}
