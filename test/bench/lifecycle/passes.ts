import type { DueKind } from '@keyferry/store';
import { graceSeconds, idOf, type ManyKeys } from './million.ts';

/** One pass of the sweep, and the least that SQL has to do for the same keys. */
export interface MeasuredPass {
  kind: DueKind;
  /** What `sweep` counts. */
  event: string;
  /** The first of the numbers of the keys that become due; the others follow at equal distances. */
  first: number;
  /** Sets what makes a key due and what the pass has changed, with $1 as the backends; null where they are made anew. */
  due: string | null;
  /** One statement that does it, as the application role. It finds the keys by the same index. */
  bare: string;
}

const ofBackends = 'backend_id = ANY($1::uuid[])';
const moved = `state_changed_at = now(), updated_at = now(), row_version = row_version + 1`;

export const measuredPasses: readonly MeasuredPass[] = [
  {
    kind: 'expiry',
    event: 'keys.expired',
    first: 2,
    due: `state = 'active', purge_at = NULL, expires_at = now() - interval '1 hour', expiry_reminder_at = NULL`,
    bare: `UPDATE keys SET state = 'expired', ${moved}
      WHERE ${ofBackends} AND expires_at <= now() AND state IN ('active', 'deprecated') AND NOT revoked`,
  },
  {
    kind: 'archive',
    event: 'keys.archived',
    first: 0,
    due: `state = 'deprecated', purge_at = NULL, archive_at = now() - interval '1 hour', archive_reminder_at = NULL,
      deprecated_at = now() - interval '${graceSeconds + 3600} seconds'`,
    bare: `UPDATE keys SET state = 'archived', archive_at = NULL, ${moved} WHERE ${ofBackends} AND archive_at <= now()`,
  },
  {
    kind: 'purge',
    event: 'keys.purged',
    first: 1,
    due: null,
    bare: `DELETE FROM keys WHERE ${ofBackends} AND purge_at <= now() AND NOT revoked`,
  },
  {
    kind: 'archive_reminder',
    event: 'keys.archiving_soon',
    first: 10,
    due: `deprecated_at = now() - interval '4 hours', archive_at = now() - interval '4 hours' + interval '${graceSeconds} seconds',
      archive_reminder_at = now() - interval '1 minute'`,
    bare: `UPDATE keys SET archive_reminder_at = NULL WHERE ${ofBackends} AND archive_reminder_at <= now()`,
  },
  {
    kind: 'expiry_reminder',
    event: 'keys.expiring_soon',
    first: 12,
    due: `expires_at = now() + interval '20 days', expiry_reminder_at = now() - interval '1 minute'`,
    bare: `UPDATE keys SET expiry_reminder_at = NULL WHERE ${ofBackends} AND expiry_reminder_at <= now()`,
  },
  {
    kind: 'rotation',
    event: 'keys.rotation_overdue',
    first: 3,
    due: `rotation_due_at = now() - interval '1 hour', value_at = now() - interval '90 days 1 hour', rotation_told = false`,
    bare: `UPDATE keys SET rotation_told = true WHERE ${ofBackends} AND rotation_due_at <= now() AND NOT rotation_told`,
  },
];

/** Makes keys due at every `distance`th number. */
export async function makeDue(keys: ManyKeys, { first, due }: MeasuredPass, count: number, distance: number) {
  const numbers = `generate_series(${first}, ${count - 1}, ${distance})`;
  if (due !== null) {
    await keys.asOwner(`UPDATE keys SET ${due} FROM ${numbers} AS n WHERE keys.id = ${idOf('n')}`);
    return;
  }
  const ids = `(SELECT ${idOf('n')} FROM ${numbers} AS n)`;
  await keys.asOwner(
    `, versions AS (DELETE FROM key_versions WHERE key_id IN ${ids}) DELETE FROM keys WHERE id IN ${ids}`,
  );
  await keys.make(numbers);
  await keys.asOwner(`UPDATE keys SET purge_at = now() - interval '1 hour' WHERE id IN ${ids}`);
}
