import { type Connection, refuseOtherContainer, withVault } from '@keyferry/connections';
import { classOf, KeyferryError, vaultFailure } from '@keyferry/core';
import { type Backend, endIntent, leaveIntent, makeDue, type Tx, type WriteIntent } from '@keyferry/store';
import type { SecretReading } from '@keyferry/vaults';
import type { WriteServices } from './request.ts';

/**
 * Works on a backend's vault while a request waits; on no other container than the backend's own, where a version of the same
 * number may be of another secret. Rejects as `withVault` and `work` do, or with `container_changed`.
 */
export async function withContainer<Result>(
  services: WriteServices,
  backend: Backend,
  work: (connection: Connection, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return await withVault(services, backend, async (connection, signal) => {
    refuseOtherContainer(backend, await connection.probe(signal));
    return await work(connection, signal);
  });
}

/** A secret as the vault has it now; null where it proves to have none. */
export async function readSecret(
  connection: Connection,
  path: string,
  signal: AbortSignal,
): Promise<SecretReading | null> {
  for await (const outcome of connection.fetch([{ path, facts: null }], signal)) {
    if ('reading' in outcome) return outcome.reading;
    if (['not_found', 'deleted'].includes(classOf(outcome.error))) return null;
    throw outcome.error;
  }
  throw vaultFailure('invalid', `The vault gave no answer for "${path}".`);
}

/** A write to a vault that was begun and noted. */
export interface BegunWrite {
  services: WriteServices;
  backend: Backend;
  intent: WriteIntent;
}

const inTenant = <Result>({ services, backend }: BegunWrite, work: (tx: Tx) => Promise<Result>) =>
  services.store.inTenant(backend.tenant_id, work);

/** Ends a write that the vault has not made. */
export async function endWrite(write: BegunWrite): Promise<void> {
  await inTenant(write, (tx) => endIntent(tx, write.intent));
}

/** Leaves a write of which it is not known whether the vault has made it, to the next cycle or whoever writes next. */
export async function leaveWrite(write: BegunWrite): Promise<void> {
  const now = write.services.now();
  await inTenant(write, async (tx) => {
    await leaveIntent(tx, write.intent, now);
    await makeDue(tx, write.backend.id, now);
  }).catch((error: unknown) => {
    write.services.log.warn({ error: error as Error }, 'a write could not be let go of yet');
  });
}

/** Ends a write to which something else was preferred, and has a cycle carry what is there. */
export async function yieldWrite(write: BegunWrite): Promise<KeyferryError> {
  const { services, backend, intent } = write;
  await inTenant(write, async (tx) => {
    await endIntent(tx, intent);
    await makeDue(tx, backend.id, services.now());
  });
  return writeConflict(intent.local_path, `the vault of "${backend.name}" has another value of it than is known here`);
}

export const atWork = (path: string): KeyferryError =>
  writeConflict(path, 'somebody else is writing it at this moment');

export const writeConflict = (path: string, why: string): KeyferryError =>
  new KeyferryError('write_conflict', `"${path}" was left as it is: ${why}.`);
