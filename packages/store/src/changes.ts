import { sql } from 'kysely';
import { type Backend, listBackends } from './backends.ts';
import type { Tx } from './database.ts';
import { lastEventPosition } from './outbox.ts';

/** What of a backend tells that it was changed since. */
export interface BackendRevision {
  id: string;
  /** Another one whenever anything of its row was changed. */
  revision: string;
  flushGeneration: number;
}

export interface Changes {
  /** Of the last event. */
  position: number;
  /** Local paths of keys that events after the position tell of; null where they are too many. */
  paths: string[] | null;
  /** Of all that are not removed, in the order of their ids. */
  revisions: BackendRevision[];
  /** Null where they are as they were. */
  backends: Backend[] | null;
}

/** What there was before, or null where nothing is known. */
export interface ChangesBefore {
  position: number;
  revisions: readonly BackendRevision[];
}

/** What has changed of a tenant's keys and backends since. */
export async function readChanges(tx: Tx, before: ChangesBefore | null, mostPaths: number): Promise<Changes> {
  const position = Math.max(before?.position ?? 0, await lastEventPosition(tx));
  const revisions = await tx
    .selectFrom('backends')
    .select(['id', sql<string>`xmin::text`.as('revision'), 'flush_generation as flushGeneration'])
    .where('state', '<>', 'removed')
    .orderBy('id')
    .execute();
  const same = before !== null && JSON.stringify(revisions) === JSON.stringify(before.revisions);
  return {
    position,
    paths:
      before === null || position === before.position
        ? []
        : await changedPaths(tx, before.position, position, mostPaths),
    revisions,
    backends: same ? null : await listBackends(tx),
  };
}

async function changedPaths(tx: Tx, after: number, upTo: number, most: number): Promise<string[] | null> {
  const told = tx
    .selectFrom('outbox')
    .where('position', '>', after)
    .where('position', '<=', upTo)
    .where(sql<boolean>`data ? 'paths'`);
  const { count } = await told
    .select(sql<number>`coalesce(sum(jsonb_array_length(data->'paths')), 0)`.as('count'))
    .executeTakeFirstOrThrow();
  if (Number(count) > most) return null;
  const rows = await told
    .select([
      sql<string[]>`data->'paths'`.as('paths'),
      sql<string[]>`jsonb_path_query_array(data, '$.keys[*].renamed_from')`.as('former'),
    ])
    .execute();
  return [...new Set(rows.flatMap(({ paths, former }) => [...paths, ...former]))];
}
