import { type Selectable, sql } from 'kysely';
import type { Tx } from '../database.ts';
import type { Database } from '../schema.ts';
import type { AuditOutcome } from './audit.ts';

export type AuditRow = Omit<Selectable<Database['audit_log']>, 'tenant_id'>;

export interface AuditFilter {
  actor?: string;
  action?: string;
  target?: string;
  /** Of the target. */
  prefix?: string;
  outcome?: AuditOutcome;
  requestId?: string;
  /** Rows from then on, and before then. */
  since?: Date;
  until?: Date;
}

/** A row's place in the log. */
export interface AuditPlace {
  batch: number;
  place: number;
}

const shown = [
  'a.batch',
  'a.place',
  'a.at',
  'a.actor',
  'a.action',
  'a.target',
  'a.outcome',
  'a.request_id',
  'a.address',
  'a.details',
] as const;

/** Rows that match, the newest first, before a place if one is given. */
export async function listAudit(
  tx: Tx,
  filter: AuditFilter,
  page: { before?: AuditPlace; limit: number },
): Promise<AuditRow[]> {
  const { before, limit } = page;
  let query = matching(tx, filter).orderBy('b.id', 'desc').orderBy('a.place', 'desc').limit(limit);
  if (before)
    query = query.where(
      sql<boolean>`b.id <= ${before.batch} AND (a.batch, a.place) < (${before.batch}, ${before.place})`,
    );
  return await query.execute();
}

/** The same, the oldest first, after a place if one is given. */
export async function readAudit(
  tx: Tx,
  filter: AuditFilter,
  page: { after?: AuditPlace; limit: number },
): Promise<AuditRow[]> {
  const { after, limit } = page;
  let query = matching(tx, filter).orderBy('b.id').orderBy('a.place').limit(limit);
  if (after)
    query = query.where(sql<boolean>`b.id >= ${after.batch} AND (a.batch, a.place) > (${after.batch}, ${after.place})`);
  return await query.execute();
}

/** By way of the batches, which are few, and in the order of a tenant's own. */
function matching(tx: Tx, filter: AuditFilter) {
  const { actor, action, target, prefix, outcome, requestId, since, until } = filter;
  let query = tx.selectFrom('audit_log as a').innerJoin('audit_batches as b', 'b.id', 'a.batch').select(shown);
  if (actor !== undefined) query = query.where('a.actor', '=', actor);
  if (action !== undefined) query = query.where('a.action', '=', action);
  if (target !== undefined) query = query.where('a.target', '=', target);
  if (prefix !== undefined) query = query.where(sql<boolean>`starts_with(a.target, ${prefix})`);
  if (outcome !== undefined) query = query.where('a.outcome', '=', outcome);
  if (requestId !== undefined) query = query.where('a.request_id', '=', requestId);
  if (since !== undefined) query = query.where('b.last_at', '>=', since).where('a.at', '>=', since);
  if (until !== undefined) query = query.where('b.at', '<', until).where('a.at', '<', until);
  return query;
}
