import { sql } from 'kysely';
import type { Tx } from '../database.ts';
import { channelBinding, credentialsBinding, valueBinding } from './bindings.ts';

/** Every column that holds what a data key has sealed. A test finds those that are missing here. */

/** What a row's binding is made of. */
interface BoundRow {
  id: string;
  version: number;
}

export interface SealedColumn {
  table: 'key_versions' | 'backups' | 'backends' | 'channels';
  ciphertext: string;
  keyId: string;
  /** SQL of what the binding is made of. */
  id: string;
  version: string;
  binding(tenantId: string, row: BoundRow): string;
}

const ofValues = (tenantId: string, { id, version }: BoundRow) => valueBinding(tenantId, id, version);

export const sealedColumns: readonly SealedColumn[] = [
  {
    table: 'key_versions',
    ciphertext: 'ciphertext',
    keyId: 'encryption_key_id',
    id: 'key_id',
    version: 'version',
    binding: ofValues,
  },
  {
    table: 'backups',
    ciphertext: 'ciphertext',
    keyId: 'encryption_key_id',
    id: 'key_id',
    version: 'version',
    binding: ofValues,
  },
  {
    table: 'backends',
    ciphertext: 'credentials',
    keyId: 'credentials_key_id',
    id: 'id',
    version: '0',
    binding: (tenantId, { id }) => credentialsBinding(tenantId, id),
  },
  {
    table: 'channels',
    ciphertext: 'secret',
    keyId: 'secret_key_id',
    id: 'id',
    version: '0',
    binding: (tenantId, { id }) => channelBinding(tenantId, id),
  },
];

const tableOf = ({ table }: SealedColumn) => sql.table(table);
const keyIdOf = ({ keyId }: SealedColumn) => sql.ref(keyId);

/** How many ciphertexts each of these data keys of the tenant has left. */
export async function countSealed(tx: Tx, keyIds: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map(keyIds.map((id) => [id, 0]));
  for (const column of sealedColumns) {
    const { rows } = await sql<{ id: string; count: number }>`
      SELECT ${keyIdOf(column)} AS id, count(*) AS count FROM ${tableOf(column)}
      WHERE ${keyIdOf(column)} = ANY(${keyIds}::uuid[]) GROUP BY 1`.execute(tx);
    for (const { id, count } of rows) counts.set(id, (counts.get(id) ?? 0) + count);
  }
  return counts;
}

/** Where a row is, and how large its ciphertext. A place is good until somebody changes the row. */
export interface SealedPlace {
  place: string;
  bytes: number;
}

/** Places of ciphertexts of these data keys, in the order in which the table has them. */
export async function sealedPlaces(
  tx: Tx,
  column: SealedColumn,
  keyIds: readonly string[],
  limit: number,
): Promise<SealedPlace[]> {
  const { rows } = await sql<SealedPlace>`
    SELECT ctid AS place, octet_length(${sql.ref(column.ciphertext)}) AS bytes FROM ${tableOf(column)}
    WHERE ${keyIdOf(column)} = ANY(${keyIds}::uuid[]) LIMIT ${limit}`.execute(tx);
  return rows;
}

export interface SealedRow extends BoundRow {
  place: string;
  ciphertext: Buffer;
  encryptionKeyId: string;
}

/** Locks those of these places that nobody else holds, and that still have a ciphertext of one of these keys. */
export async function lockSealed(
  tx: Tx,
  column: SealedColumn,
  keyIds: readonly string[],
  places: readonly string[],
): Promise<SealedRow[]> {
  const { rows } = await sql<SealedRow>`
    SELECT ctid AS place, ${sql.raw(column.id)} AS id, ${sql.raw(column.version)} AS version,
      ${sql.ref(column.ciphertext)} AS ciphertext, ${keyIdOf(column)} AS "encryptionKeyId"
    FROM ${tableOf(column)}
    WHERE ctid = ANY(${places}::tid[]) AND ${keyIdOf(column)} = ANY(${keyIds}::uuid[])
    FOR NO KEY UPDATE SKIP LOCKED`.execute(tx);
  return rows;
}

/** Puts new ciphertexts where locked rows have theirs. */
export async function replaceSealed(
  tx: Tx,
  column: SealedColumn,
  keyId: string,
  changed: readonly { place: string; ciphertext: Buffer }[],
): Promise<void> {
  await sql`
    UPDATE ${tableOf(column)} t SET ${sql.ref(column.ciphertext)} = w.ciphertext, ${keyIdOf(column)} = ${keyId}
    FROM unnest(${changed.map(({ place }) => place)}::tid[], ${changed.map((one) => one.ciphertext)}::bytea[])
      AS w (place, ciphertext)
    WHERE t.ctid = w.place`.execute(tx);
}
