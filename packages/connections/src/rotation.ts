import { classOf, KeyferryError } from '@keyferry/core';
import type { LiveBackend } from './connect.ts';

/** How long a proof of credentials may take, retries included. */
const proofMs = 30_000;

/** What credentials are found to be by one question to the vault. An outage finds nothing out. */
export type Verdict = { accepted: true } | { refused: KeyferryError } | { unknown: true };

/** Asks the vault with a connection's credentials. */
export async function prove({ backend }: LiveBackend): Promise<Verdict> {
  try {
    await backend.probe(AbortSignal.timeout(proofMs));
    return { accepted: true };
  } catch (error) {
    return verdictOf(error);
  }
}

/** What an error says of the credentials that it came of. */
export function verdictOf(error: unknown): Verdict {
  if (!(error instanceof KeyferryError)) return { unknown: true };
  const failureClass = classOf(error);
  const ofCredentials =
    failureClass === 'unauthenticated' ||
    failureClass === 'forbidden' ||
    error.code === 'config_invalid' ||
    error.code === 'credentials_cycle' ||
    error.code.startsWith('reference_');
  return ofCredentials ? { refused: error } : { unknown: true };
}

/** What is told of new credentials that don't work while the former ones do. */
export function credentialsRefused(cause: KeyferryError): KeyferryError {
  return new KeyferryError(
    'credentials_refused',
    `The backend’s new credentials do not work, and its former ones still do: ${cause.message}`,
    { failureClass: 'unauthenticated' },
  );
}
