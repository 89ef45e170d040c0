import { parseReference, referenceTo } from '@keyferry/core';
import { vaultOfKind } from '@keyferry/vaults';
import type { WriteServices } from '../write/request.ts';
import { type StoredSecrets, storeSecrets } from './store-secrets.ts';

type Members = Record<string, unknown>;

export interface StoredCredentials extends StoredSecrets {
  /** With references in the place of what is stored. */
  auth: Members;
}

/** Writes a backend's plaintext credentials to the vault that keeps them, as `storeSecrets` does. */
export async function storeCredentials(
  services: WriteServices,
  request: { tenantId: string; backend: { id: string; kind: string }; auth: Members; by: string },
): Promise<StoredCredentials> {
  const { tenantId, backend, auth, by } = request;
  const secrets = plainSecrets(vaultOfKind(services.registry, backend.kind).secrets, auth);
  const stored = await storeSecrets(services, { tenantId, owner: { kind: 'backend', id: backend.id }, secrets, by });
  const references = [...stored.paths].map(([member, path]) => [member, referenceTo(path)]);
  return { ...stored, auth: { ...auth, ...Object.fromEntries(references) } };
}

/** Members that are secret, and given as they are. */
function plainSecrets(secrets: readonly string[], auth: Members): [member: string, text: string][] {
  return secrets.flatMap((member): [string, string][] => {
    const text = auth[member];
    return typeof text === 'string' && parseReference(text).kind === 'plain' ? [[member, text]] : [];
  });
}
