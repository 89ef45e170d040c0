import { KeyferryError } from '@keyferry/core';
import { type VaultRegistry, vaultOfKind } from '@keyferry/vaults';

/**
 * Settings of a kind, checked and completed with defaults. Throws `backend_kind_unknown`, or `config_invalid` with
 * every field that is wrong and how to mend it; never with a value, since any of them may be a secret.
 */
export function validateSettings(registry: VaultRegistry, kind: string, settings: unknown): unknown {
  const parsed = vaultOfKind(registry, kind).configSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const field = issue.path.join('.');
    return field === '' ? issue.message : `${field}: ${issue.message}`;
  });
  throw new KeyferryError('config_invalid', `The settings can’t be used. ${problems.join('; ')}.`, {
    details: { fields: parsed.error.issues.map((issue) => issue.path.join('.')) },
  });
}
