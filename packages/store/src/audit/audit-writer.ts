import { KeyferryError } from '@keyferry/core';
import { CompiledQuery } from 'kysely';
import type { Store } from '../database.ts';
import type { AuditEntry, AuditOutcome } from './audit.ts';
import type { RequestContext } from './request-context.ts';

/** What a request came to. */
export interface RequestEntry extends AuditEntry, Partial<RequestContext> {
  at: Date;
  outcome: AuditOutcome;
}

/**
 * Writes rows that belong to no transaction of their own, many at a time: what comes while a group is being committed is
 * the next group.
 */
export interface AuditWriter {
  /** Resolves once the rows are committed. Rejects with `audit_unavailable` where they are not, or can't be known to be. */
  write(tenantId: string, entries: readonly RequestEntry[]): Promise<void>;
}

/** More than that in a group would have its requests wait for longer than two groups take. */
const mostRows = 1_000;
/** Rows that wait in memory, of all tenants: then Postgres doesn't keep up, and nothing more is read. */
const mostWaiting = 50_000;
/** Groups of a tenant that are being committed at a time: of two each is half as large, and both cost more together. */
const atATime = 1;

/** A group that is not committed by then is given up: whoever waits for it is refused. */
const patienceMs = 5_000;

interface Group {
  rows: RequestEntry[];
  committed: PromiseWithResolvers<void>;
  /** Rejects it in the end; once it has, the group isn't begun any more. */
  timer: NodeJS.Timeout;
  late: boolean;
}

interface Line {
  waiting: Group[];
  committing: number;
}

export function createAuditWriter(store: Store): AuditWriter {
  const lines = new Map<string, Line>();
  let waiting = 0;

  function groupIn(tenantId: string, more: number): Group {
    const line = lines.get(tenantId) ?? { waiting: [], committing: 0 };
    lines.set(tenantId, line);
    const last = line.waiting.at(-1);
    if (last && !last.late && last.rows.length + more <= mostRows) return last;
    const group = newGroup();
    line.waiting.push(group);
    // What else this turn of the event loop brings belongs to the same group.
    if (line.committing < atATime) setImmediate(begin, tenantId, line);
    return group;
  }

  function begin(tenantId: string, line: Line): void {
    const group = line.committing < atATime ? line.waiting.shift() : undefined;
    if (group === undefined) return;
    line.committing++;
    waiting -= group.rows.length;
    void commit(store, tenantId, group).then(() => {
      line.committing--;
      if (line.waiting.length > 0) begin(tenantId, line);
      else if (line.committing === 0) lines.delete(tenantId);
    });
  }

  return {
    async write(tenantId, entries) {
      if (entries.length === 0) return;
      if (waiting + entries.length > mostWaiting) throw unavailable('does not keep up');
      const group = groupIn(tenantId, entries.length);
      for (const entry of entries) group.rows.push(entry);
      waiting += entries.length;
      await group.committed.promise;
    },
  };
}

function newGroup(): Group {
  const group: Group = {
    rows: [],
    committed: Promise.withResolvers(),
    timer: setTimeout(() => {
      group.late = true;
      group.committed.reject(unavailable('did not answer in time'));
    }, patienceMs),
    late: false,
  };
  return group;
}

async function commit(store: Store, tenantId: string, { rows, committed, timer, late }: Group): Promise<void> {
  if (late) return;
  try {
    await writeGroup(store, tenantId, rows);
    committed.resolve();
  } catch {
    committed.reject(unavailable('could not be written'));
  } finally {
    clearTimeout(timer);
  }
}

const unavailable = (why: string) =>
  new KeyferryError('audit_unavailable', `The audit log ${why}, so that nothing was read.`);

/**
 * One round trip and one commit. Rows of a group have most in common: what they share is sent and read once, which is half of
 * what a row costs.
 */
async function writeGroup(store: Store, tenantId: string, rows: readonly RequestEntry[]): Promise<void> {
  const shared = new Map<string, RequestEntry>();
  const places = new Map<string, number>();
  let sharing = '';
  for (const row of rows) {
    const key = sharedKey(row);
    let place = places.get(key);
    if (place === undefined) {
      place = places.size + 1;
      places.set(key, place);
      shared.set(key, row);
    }
    sharing += `,${place}`;
  }
  const kinds = [...shared.values()];
  const parameters = [
    tenantId,
    `{${sharing.slice(1)}}`,
    arrayOf(rows, ({ target }) => target),
    arrayOf(rows, ({ requestId }) => requestId),
    arrayOf(kinds, ({ at }) => at.toISOString()),
    arrayOf(kinds, ({ actor }) => actor),
    arrayOf(kinds, ({ action }) => action),
    arrayOf(kinds, ({ outcome }) => outcome),
    arrayOf(kinds, ({ address }) => address),
    arrayOf(kinds, ({ details }) => JSON.stringify(details ?? {})),
  ];
  await store.global.executeQuery(CompiledQuery.raw(writing, parameters));
}

const writing = 'SELECT keyferry.write_audit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)';

const sharedKey = ({ at, actor, action, outcome, address, details }: RequestEntry): string =>
  `${at.getTime()} ${action} ${outcome} ${address} ${details === undefined ? '' : JSON.stringify(details)} ${actor}`;

function arrayOf(rows: readonly RequestEntry[], of: (row: RequestEntry) => string | undefined): string {
  let elements = '';
  for (const row of rows) elements += `,${element(of(row))}`;
  return `{${elements.slice(1)}}`;
}

/** An element of an array as Postgres reads it: quoted, which keeps a NULL from being a text. */
function element(text: string | undefined): string {
  if (text === undefined) return 'NULL';
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}
