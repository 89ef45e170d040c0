import { randomUUID } from 'node:crypto';
import { absentDigest } from '@keyferry/core';
import { type Backend, remoteHash, type Tx, valueBinding } from '@keyferry/store';
import type { House } from './house.ts';

/** What a write through Keyferry leaves in the store, done by hand, so that tests can have it at any moment. */

export interface Written {
  backend: Pick<Backend, 'id' | 'tenant_id'>;
  path: string;
}

async function raise(tx: Tx, { backend }: Written): Promise<number> {
  const { write_seq } = await tx
    .updateTable('backends')
    .set((eb) => ({ write_seq: eb('write_seq', '+', 1) }))
    .where('id', '=', backend.id)
    .returning('write_seq')
    .executeTakeFirstOrThrow();
  return write_seq;
}

/** Gives a key another value here; a path without a key gets one that is only here. */
export async function writeHere(house: House, at: Written, value: string): Promise<void> {
  const { backend, path } = at;
  const { now } = house.clock;
  const keys = await house.services.keyring.ofTenant(backend.tenant_id);
  const bytes = Buffer.from(JSON.stringify({ value }), 'utf8');
  const digest = keys.digest(bytes);
  await house.read(async (tx) => {
    const write_seq = await raise(tx, at);
    const known = await tx
      .selectFrom('keys')
      .select(['id', 'version'])
      .where('backend_id', '=', backend.id)
      .where('remote_path', '=', path)
      .executeTakeFirst();
    const [id, version] = [known?.id ?? randomUUID(), (known?.version ?? 0) + 1];
    const about = { version, local_digest: digest, write_seq, value_at: now(), updated_at: now() };
    if (known)
      await tx
        .updateTable('keys')
        .set((eb) => ({ ...about, tombstone: false, state: 'active', row_version: eb('row_version', '+', 1) }))
        .where('id', '=', id)
        .execute();
    else
      await tx
        .insertInto('keys')
        .values({ ...onlyHere(at, now()), ...about, id, digest_key_id: keys.digestKeyId })
        .execute();
    const { ciphertext, encryptionKeyId } = keys.seal(bytes, valueBinding(backend.tenant_id, id, version));
    const stored = {
      key_id: id,
      version,
      tenant_id: backend.tenant_id,
      ciphertext,
      encryption_key_id: encryptionKeyId,
    };
    const facts = { content_type: 'application/json', metadata: '{}', source: 'local' as const, created_at: now() };
    await tx
      .insertInto('key_versions')
      .values({ ...stored, ...facts })
      .execute();
  });
}

const onlyHere = ({ backend, path }: Written, now: Date) => ({
  tenant_id: backend.tenant_id,
  backend_id: backend.id,
  remote_path: path,
  remote_hash: remoteHash(path),
  local_path: path,
  type: 'opaque' as const,
  state: 'active' as const,
  content_type: 'application/json',
  metadata: '{}',
  base_digest: Buffer.from(absentDigest),
  remote_digest: Buffer.from(absentDigest),
  state_changed_at: now,
  last_seen_at: now,
  created_at: now,
});

/** Deletes a key here, while the vault has its secret still. */
export async function deleteHere(house: House, at: Written): Promise<void> {
  const now = house.clock.now();
  await house.read(async (tx) => {
    const write_seq = await raise(tx, at);
    await tx
      .updateTable('keys')
      .set((eb) => ({
        state: 'archived',
        tombstone: true,
        state_changed_at: now,
        write_seq,
        row_version: eb('row_version', '+', 1),
      }))
      .where('backend_id', '=', at.backend.id)
      .where('remote_path', '=', at.path)
      .execute();
  });
}

/** Notes that a write to the vault was begun, of this value, or a removal; its claim is over unless it is told to last. */
export async function beginWrite(
  house: House,
  { backend, path }: Written,
  begun: { value: string | null; creates?: boolean; lastsSeconds?: number; ownedFor?: string },
): Promise<void> {
  const { value, creates = false, lastsSeconds = 0, ownedFor = null } = begun;
  const keys = await house.services.keyring.ofTenant(backend.tenant_id);
  const now = house.clock.now();
  const intent = {
    backend_id: backend.id,
    remote_hash: remoteHash(path),
    tenant_id: backend.tenant_id,
    id: randomUUID(),
    kind: value === null ? ('remove' as const) : ('put' as const),
    remote_path: path,
    local_path: path,
    value_digest: value === null ? Buffer.alloc(0) : keys.digest(Buffer.from(JSON.stringify({ value }), 'utf8')),
    creates,
    owned_for: ownedFor,
    claimed_until: new Date(now.getTime() + lastsSeconds * 1000),
    created_at: now,
  };
  await house.read((tx) => tx.insertInto('write_intents').values(intent).execute());
}
