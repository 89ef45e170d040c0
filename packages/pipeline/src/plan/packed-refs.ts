import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { shardSize } from '@keyferry/core';
import type { ShardRef } from '@keyferry/store';

/**
 * Refs that wait until the listing is complete, in batches as large as a cycle's shards. A cycle has them in Postgres, where
 * a plan writes nothing; compressed, names below common folders take some ten bytes each.
 */
export class PackedRefs {
  #refs: ShardRef[] = [];
  readonly #packed: Buffer[] = [];

  add(ref: ShardRef): void {
    this.#refs.push(ref);
    if (this.#refs.length >= shardSize) this.#pack();
  }

  /** Batches in the order in which they were added, each forgotten once it is given. */
  *batches(): Generator<ShardRef[]> {
    if (this.#refs.length > 0) this.#pack();
    for (let packed = this.#packed.shift(); packed; packed = this.#packed.shift())
      yield JSON.parse(inflateRawSync(packed).toString('utf8')) as ShardRef[];
  }

  #pack(): void {
    this.#packed.push(deflateRawSync(JSON.stringify(this.#refs), { level: 1 }));
    this.#refs = [];
  }
}
