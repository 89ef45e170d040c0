import { KeyferryError } from '@keyferry/core';
import { type AmbientIdentity, ambientIdentities } from '@keyferry/vaults';

/**
 * The clouds whose identity of this machine backends may use, from the operator's list, separated by commas. Throws
 * `config_invalid`.
 */
export function parseAllowedIdentities(list: readonly string[]): AmbientIdentity[] {
  return list.map((entry) => {
    const identity = ambientIdentities.find((known) => known === entry);
    if (identity) return identity;
    throw new KeyferryError(
      'config_invalid',
      `KEYFERRY_ALLOWED_IDENTITIES has "${entry}", which is none of ${ambientIdentities.join(', ')}.`,
    );
  });
}
