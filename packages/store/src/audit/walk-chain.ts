import { digestOf, linkHash } from './chain.ts';
import type { Link, StoredBatch } from './read-chain.ts';

/** A head of the chain that was told outside. */
export interface Anchor {
  number: number;
  /** In hexadecimal digits. */
  hash: string;
}

/** What is not as it was sealed. */
export interface Broken {
  reason: string;
  /** The batch's place in the chain, and its id where there is one. */
  number: number;
  batch: number | null;
  /** The row's place in its batch, where one can be told. */
  place: number | null;
  at: Date | null;
}

export interface Walk {
  readonly at: Link;
  /** Goes on from another place: what is before it was pruned meanwhile. */
  restart(from: Link): void;
  /** The next batches of the chain. Ends at the first that is not as it was sealed. */
  check(batches: readonly StoredBatch[]): Broken | null;
  /** Once there are no more: whether the chain ends before it should. */
  end(): Broken | null;
  counts(): { from: number; rows: number; batches: number };
}

/** Follows a tenant's chain from a place on. What the anchors name has to be there, and as they say. */
export function walkChain(tenantId: string, begin: Link, anchors: readonly Anchor[]): Walk {
  const anchored = new Map<number, Set<string>>();
  for (const { number, hash } of anchors)
    anchored.set(number, (anchored.get(number) ?? new Set()).add(hash.toLowerCase()));
  const highest = anchors.reduce((most, { number }) => Math.max(most, number), 0);
  let at = begin;
  let from = begin.number;
  let rows = 0;
  let batches = 0;

  function checkAnchors(link: Link, batch: StoredBatch | null): Broken | null {
    const hashes = anchored.get(link.number);
    if (!hashes) return null;
    return hashes.size === 1 && hashes.has(link.hash.toString('hex'))
      ? null
      : brokenAt(link.number, batch, 'an anchor tells another hash: the chain was written anew');
  }

  function checkBatch(batch: StoredBatch): Broken | null {
    const number = at.number + 1;
    if (batch.number !== number) return brokenAt(number, null, 'a batch is missing');
    if (batch.found < batch.rows) return brokenAt(number, batch, 'rows are missing');
    if (batch.found > batch.rows) return brokenAt(number, batch, 'rows were added');
    if (!digestOf(batch.text).equals(batch.digest))
      return brokenAt(number, batch, 'rows were altered, or are at other places');
    if (!linkHash(at.hash, tenantId, batch).equals(batch.hash))
      return brokenAt(number, batch, 'the batch was altered, or is at another place');
    return checkAnchors(batch, batch);
  }

  return {
    get at() {
      return at;
    },
    restart(link) {
      at = link;
      from = link.number;
      rows = 0;
      batches = 0;
    },
    check(page) {
      const begun = batches === 0 ? checkAnchors(at, null) : null;
      if (begun) return begun;
      for (const batch of page) {
        const broken = checkBatch(batch);
        if (broken) return broken;
        at = { number: batch.number, hash: batch.hash };
        rows += batch.rows;
        batches++;
      }
      return null;
    },
    end() {
      return highest > at.number ? brokenAt(at.number + 1, null, 'batches at the end of the chain are missing') : null;
    },
    counts: () => ({ from, rows, batches }),
  };
}

const brokenAt = (number: number, batch: StoredBatch | null, reason: string): Broken => ({
  reason,
  number,
  batch: batch?.id ?? null,
  place: null,
  at: batch?.time ?? null,
});
