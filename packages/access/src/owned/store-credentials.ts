import { parseReference, referenceTo, SecretValue } from '@keyferry/core';
import { findWritableKey, openCredentialKey, ownerOf } from '@keyferry/store';
import { vaultOfKind } from '@keyferry/vaults';
import { putSecret } from '../write/put-secret.ts';
import type { WriteServices } from '../write/request.ts';
import { removeOwned } from './remove-owned.ts';
import { findKeeper } from './storing-backend.ts';

type Members = Record<string, unknown>;

interface Credentials {
  tenantId: string;
  /** Whose they are. It may be registered only afterwards. */
  backend: { id: string; kind: string };
  auth: Members;
  by: string;
}

export interface StoredCredentials {
  /** With references in the place of what is stored. */
  auth: Members;
  /** Local paths of what is stored. */
  paths: Set<string>;
  /** Makes it as if nothing had been stored, where what they were for could not be done. */
  undo(): Promise<void>;
}

/**
 * Writes a backend's plaintext credentials to the vault that keeps them, if there is one, owned by the backend. Rejects as
 * `putSecret` does; nothing of it is stored then.
 */
export async function storeCredentials(
  services: WriteServices,
  { tenantId, backend, auth, by }: Credentials,
): Promise<StoredCredentials> {
  const plain = plainSecrets(vaultOfKind(services.registry, backend.kind).secrets, auth);
  const keeper = plain.length > 0 ? await services.store.inTenant(tenantId, (tx) => findKeeper(tx, backend.id)) : null;
  if (!keeper) return { auth, paths: new Set(), undo: async () => {} };

  const ownedFor = ownerOf(backend.id);
  const request = { tenantId, by, ownedFor, ifMatch: null, ifNoneMatch: null, idempotencyKey: null };
  const former = new Map<string, SecretValue | null>();
  const undo = async () => {
    const kept = [...former].filter(([, value]) => value !== null).map(([path]) => path);
    for (const [path, value] of former) if (value) await putSecret(services, { ...request, path, value });
    await removeOwned(services, { tenantId, owner: ownedFor, keep: new Set(kept), by });
  };
  const references: [string, string][] = [];
  try {
    for (const [member, text] of plain) {
      const path = keeper.pathOf(member);
      former.set(path, await currentValue(services, tenantId, path));
      await putSecret(services, { ...request, path, value: SecretValue.fromText(text) });
      references.push([member, referenceTo(path)]);
    }
  } catch (error) {
    await undo().catch((failure: unknown) => {
      services.log.warn({ error: failure as Error }, 'credentials that were stored could not be taken back');
    });
    throw error;
  }
  return { auth: { ...auth, ...Object.fromEntries(references) }, paths: new Set(former.keys()), undo };
}

/** Members that are secret, and given as they are. */
function plainSecrets(secrets: readonly string[], auth: Members): [member: string, text: string][] {
  return secrets.flatMap((member): [string, string][] => {
    const text = auth[member];
    return typeof text === 'string' && parseReference(text).kind === 'plain' ? [[member, text]] : [];
  });
}

/** The value of a credential that is replaced; null where there is none. */
async function currentValue(services: WriteServices, tenantId: string, path: string): Promise<SecretValue | null> {
  const keys = await services.keyring.ofTenant(tenantId);
  return await services.store.inTenant(tenantId, async (tx) => {
    const key = await findWritableKey(tx, path);
    if (!key || key.state === 'archived') return null;
    return new SecretValue((await openCredentialKey(tx, path, keys, services.now())).value);
  });
}
