import type { ErrorCode } from '@keyferry/core';

/** What a route that asks a vault may answer. */
export const vaultRefusals = [
  'vault_unavailable',
  'vault_unauthenticated',
  'vault_forbidden',
  'vault_sealed',
  'vault_suspended',
  'vault_throttled',
  'vault_invalid',
  'container_missing',
  'vault_timeout',
  'egress_refused',
] as const satisfies ErrorCode[];
