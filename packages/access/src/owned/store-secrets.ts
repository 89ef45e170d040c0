import { SecretValue } from '@keyferry/core';
import { findWritableKey, openCredentialKey, ownerOf, type SecretOwner } from '@keyferry/store';
import { putSecret } from '../write/put-secret.ts';
import type { WriteServices } from '../write/request.ts';
import { removeOwned } from './remove-owned.ts';
import { findKeeper } from './storing-backend.ts';

export interface StoredSecrets {
  /** Local paths, by member. None where no vault keeps them. */
  paths: Map<string, string>;
  /** Does what they were stored for. Rejects as `work` does, and then it is as if nothing had been stored. */
  orUndo<Result>(work: () => Promise<Result>): Promise<Result>;
}

/**
 * Writes plaintext secrets to the vault that keeps them, if there is one, owned by whom they are for, who may be registered
 * only afterwards. Rejects as `putSecret` does; nothing of it is stored then.
 */
export async function storeSecrets(
  services: WriteServices,
  { tenantId, owner, secrets, by }: { tenantId: string; owner: SecretOwner; secrets: [string, string][]; by: string },
): Promise<StoredSecrets> {
  const paths = new Map<string, string>();
  const keeper = secrets.length > 0 ? await services.store.inTenant(tenantId, (tx) => findKeeper(tx, owner)) : null;
  if (!keeper) return { paths, orUndo: (work) => work() };

  const ownedFor = ownerOf(owner);
  const request = { tenantId, by, ownedFor, ifMatch: null, ifNoneMatch: null, idempotencyKey: null };
  const former: [path: string, value: SecretValue | null][] = [];
  const undo = async () => {
    const made = new Set(former.filter(([, value]) => value === null).map(([path]) => path));
    for (const [path, value] of former) if (value) await putSecret(services, { ...request, path, value });
    await removeOwned(services, { tenantId, owner: ownedFor, isKept: (path) => !made.has(path), by });
  };
  const orUndo = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (failure) {
      // What went wrong first is what is told.
      await undo().catch((error: unknown) => {
        services.log.warn({ error: error as Error }, 'secrets that were stored could not be taken back');
      });
      throw failure;
    }
  };
  await orUndo(async () => {
    for (const [member, text] of secrets) {
      const path = keeper.pathOf(member);
      former.push([path, await currentValue(services, tenantId, path)]);
      await putSecret(services, { ...request, path, value: SecretValue.fromText(text) });
      paths.set(member, path);
    }
  });
  return { paths, orUndo };
}

/** The value of a secret that is replaced; null where there is none. */
async function currentValue(services: WriteServices, tenantId: string, path: string): Promise<SecretValue | null> {
  const keys = await services.keyring.ofTenant(tenantId);
  return await services.store.inTenant(tenantId, async (tx) => {
    const key = await findWritableKey(tx, path);
    if (!key || key.state === 'archived') return null;
    return new SecretValue((await openCredentialKey(tx, path, keys, services.now())).value);
  });
}
