import { hash } from 'node:crypto';
import { type KnownRevision, remoteHash } from '@keyferry/store';

/**
 * What is known of a backend's keys, in about 33 bytes a key: an open-addressing table of path hashes with the hash of the
 * revision and a few marks. A hundred thousand keys take some 5 MB, where a Map of strings would take ten times that.
 */
export class KnownIndex {
  readonly #pushes: boolean;
  #hashes = new Uint32Array(0);
  #revisions = new Uint32Array(0);
  #marks = new Uint8Array(0);
  #size = 0;

  /** `pushes`: what was changed here is written to the vault, and has to be read for that. */
  constructor({ pushes }: { pushes: boolean }) {
    this.#pushes = pushes;
  }

  add(known: KnownRevision): void {
    if (this.#marks.length < 2 * (this.#size + 1)) this.#grow();
    const slot = this.#slotOf(wordsOf(known.remote_hash));
    this.#hashes.set(wordsOf(known.remote_hash), slot * 4);
    this.#revisions.set(revisionWords(known.remote_revision), slot * 2);
    this.#marks[slot] =
      marks.used |
      (known.state === 'active' || known.state === 'deprecated' || known.tombstone ? marks.live : 0) |
      (this.#hasToBeRead(known) ? marks.needsReading : 0);
    this.#size++;
  }

  #hasToBeRead(known: KnownRevision): boolean {
    const { remote_revision, missed, unsettled, ahead } = known;
    return remote_revision === null || missed || unsettled || (ahead && this.#pushes) || returnsWhenFound(known);
  }

  has(remotePath: string): boolean {
    return this.#find(remotePath) >= 0;
  }

  /** Whether a key was marked as listed. */
  hasSeen(remotePath: string): boolean {
    const slot = this.#find(remotePath);
    return slot >= 0 && ((this.#marks[slot] as number) & marks.seen) !== 0;
  }

  /** Marks a key as listed, and tells whether nothing about it has changed. */
  see(remotePath: string, revision: string | null): 'new' | 'changed' | 'unchanged' {
    const slot = this.#find(remotePath);
    if (slot < 0) return 'new';
    const mark = this.#marks[slot] as number;
    this.#marks[slot] = mark | marks.seen;
    if (revision === null || mark & marks.needsReading) return 'changed';
    const [high, low] = revisionWords(revision);
    return this.#revisions[slot * 2] === high && this.#revisions[slot * 2 + 1] === low ? 'unchanged' : 'changed';
  }

  /** Hashes of active and deprecated keys, and of what was deleted here, that were not seen, in batches. */
  *unseenLive(batchSize: number): Generator<Buffer[]> {
    let batch: Buffer[] = [];
    for (let slot = 0; slot < this.#marks.length; slot++) {
      if (((this.#marks[slot] as number) & (marks.live | marks.seen)) !== marks.live) continue;
      batch.push(Buffer.from(this.#hashes.slice(slot * 4, slot * 4 + 4).buffer));
      if (batch.length < batchSize) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  #find(remotePath: string): number {
    if (this.#size === 0) return -1;
    const slot = this.#slotOf(wordsOf(remoteHash(remotePath)));
    return this.#marks[slot] ? slot : -1;
  }

  /** The slot that holds these words, or the empty one where they would go. */
  #slotOf(words: Uint32Array): number {
    const mask = this.#marks.length - 1;
    let slot = (words[0] as number) & mask;
    while (this.#marks[slot] && !this.#holds(slot, words)) slot = (slot + 1) & mask;
    return slot;
  }

  #holds(slot: number, words: Uint32Array): boolean {
    const start = slot * 4;
    for (let index = 0; index < 4; index++) if (this.#hashes[start + index] !== words[index]) return false;
    return true;
  }

  #grow(): void {
    const [hashes, revisions, old] = [this.#hashes, this.#revisions, this.#marks];
    const capacity = Math.max(1024, old.length * 2);
    this.#hashes = new Uint32Array(capacity * 4);
    this.#revisions = new Uint32Array(capacity * 2);
    this.#marks = new Uint8Array(capacity);
    for (let from = 0; from < old.length; from++) {
      if (!old[from]) continue;
      const words = hashes.subarray(from * 4, from * 4 + 4);
      const slot = this.#slotOf(words);
      this.#hashes.set(words, slot * 4);
      this.#revisions.set(revisions.subarray(from * 2, from * 2 + 2), slot * 2);
      this.#marks[slot] = old[from] as number;
    }
  }
}

const marks = { used: 1, live: 2, needsReading: 4, seen: 8 } as const;

/** Deprecated and archived keys come back when they are found, which the sync stage does, changed or not. */
function returnsWhenFound(known: KnownRevision): boolean {
  return !known.revoked && !known.tombstone && (known.state === 'deprecated' || known.state === 'archived');
}

function wordsOf(hash: Buffer): Uint32Array {
  return new Uint32Array([hash.readUInt32LE(0), hash.readUInt32LE(4), hash.readUInt32LE(8), hash.readUInt32LE(12)]);
}

function revisionWords(revision: string | null): [number, number] {
  if (revision === null) return [0, 0];
  const digest = hash('sha256', revision, 'buffer');
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}
