import { type ErrorCode, vaultFailure } from '@keyferry/core';
import { vaultDeadlineMs } from './limits.ts';

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
] as const satisfies ErrorCode[];

/** Asks a vault while a request waits for it. Rejects as `ask` does, or with `vault_timeout`. */
export async function askVault<T>(backendName: string, ask: (deadline: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(vaultDeadlineMs);
  return await ask(deadline).catch((error: unknown) => {
    if (!deadline.aborted || error !== deadline.reason) throw error;
    const seconds = vaultDeadlineMs / 1000;
    throw vaultFailure('timeout', `The vault of "${backendName}" did not answer in ${seconds} seconds.`);
  });
}
