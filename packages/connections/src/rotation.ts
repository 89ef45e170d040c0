import { classOf, KeyferryError } from '@keyferry/core';
import type { LiveBackend } from './connect.ts';

/** How long a proof of credentials may take, retries included. */
const proofMs = 30_000;

/**
 * What credentials are found to be. An outage finds nothing out; credentials whose key is no longer served must not be used
 * any more, however well the vault still takes them.
 */
export type Verdict = 'accepted' | { refused: KeyferryError } | { withdrawn: KeyferryError } | 'unknown';

/** Asks the vault with a connection's credentials, once there is one. */
export async function verdictOn(live: Promise<LiveBackend>): Promise<Verdict> {
  try {
    const { backend } = await live;
    await backend.probe(AbortSignal.timeout(proofMs));
    return 'accepted';
  } catch (error) {
    return verdictOf(error);
  }
}

/** What an error says of the credentials that it came of. */
function verdictOf(error: unknown): Verdict {
  if (!(error instanceof KeyferryError)) return 'unknown';
  if (error.code === 'credentials_withdrawn' || error.code === 'credentials_cycle') return { withdrawn: error };
  const failureClass = classOf(error);
  const ofCredentials =
    failureClass === 'unauthenticated' ||
    failureClass === 'forbidden' ||
    error.code === 'config_invalid' ||
    error.code.startsWith('reference_');
  return ofCredentials ? { refused: error } : 'unknown';
}

/** What is told of new credentials that don't work while the former ones do. */
export function credentialsRefused(cause: KeyferryError): KeyferryError {
  return new KeyferryError(
    'credentials_refused',
    `The backend’s new credentials do not work, and its former ones still do: ${cause.message}`,
    { failureClass: 'unauthenticated' },
  );
}

const firstRestMs = 60_000;
const longestRestMs = 15 * 60_000;

/** How long new credentials are left alone that have just failed for this many times: a vault may take some only later. */
export function restAfter(failures: number): number {
  return Math.min(longestRestMs, firstRestMs * 2 ** (failures - 1));
}
