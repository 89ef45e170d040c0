import { randomUUID } from 'node:crypto';
import { type DeletedSecret, deleteSecret, putSecret, type WrittenSecret } from '@keyferry/access';
import { SecretValue } from '@keyferry/core';
import { type Backend, beginIntent, leaveIntent } from '@keyferry/store';
import { builtInVaults } from '@keyferry/vaults';
import type { House } from './house.ts';

/** Writes through Keyferry that don't reach the vault, whatever the backend's `writes` say beside. */

export interface Written {
  backend: Pick<Backend, 'id' | 'tenant_id'>;
  path: string;
}

const servicesOf = (house: House) => ({ ...house.services, registry: builtInVaults });

const requestAt = ({ backend, path }: Written) => ({
  tenantId: backend.tenant_id,
  path,
  by: 'somebody',
  ifMatch: null,
  ifNoneMatch: null,
  idempotencyKey: null,
});

/** Gives a key another value here; a path without a key gets one that is only here. */
export async function writeHere(house: House, at: Written, value: string): Promise<WrittenSecret> {
  const text = SecretValue.fromText(JSON.stringify({ value }));
  return await hereAlone(house, at, () => putSecret(servicesOf(house), { ...requestAt(at), value: text }));
}

/** Deletes a key here, while the vault has its secret still. */
export async function deleteHere(house: House, at: Written): Promise<DeletedSecret> {
  return await hereAlone(house, at, () => deleteSecret(servicesOf(house), requestAt(at)));
}

async function hereAlone<Result>(house: House, { backend }: Written, work: () => Promise<Result>): Promise<Result> {
  const set = (writes: Backend['writes']) =>
    house.read((tx) => tx.updateTable('backends').set({ writes }).where('id', '=', backend.id).execute());
  const { writes } = await house.read((tx) =>
    tx.selectFrom('backends').select('writes').where('id', '=', backend.id).executeTakeFirstOrThrow(),
  );
  await set('local');
  try {
    return await work();
  } finally {
    await set(writes);
  }
}

/** Notes that a write to the vault was begun, of this value, or a removal; its process has left it, or is to be waited for. */
export async function beginWrite(
  house: House,
  { backend, path }: Written,
  begun: { value: string | null; creates?: boolean; left?: boolean; ownedFor?: string },
): Promise<void> {
  const { value, creates = false, left = true, ownedFor = null } = begun;
  const keys = await house.services.keyring.ofTenant(backend.tenant_id);
  const now = house.clock.now();
  const intent = {
    id: randomUUID(),
    tenantId: backend.tenant_id,
    backendId: backend.id,
    kind: value === null ? ('remove' as const) : ('put' as const),
    remotePath: path,
    localPath: path,
    valueDigest: value === null ? Buffer.alloc(0) : keys.digest(Buffer.from(JSON.stringify({ value }), 'utf8')),
    creates,
    ownedFor,
  };
  await house.read(async (tx) => {
    const { stored } = await beginIntent(tx, intent, now);
    if (left) await leaveIntent(tx, stored, now);
  });
}
