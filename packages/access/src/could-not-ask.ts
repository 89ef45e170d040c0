import { classOf, isTransient, KeyferryError } from '@keyferry/core';

/**
 * Whether a failure says nothing of the secret, since what it is in could not be asked: then what was read last may be
 * answered. A login that fails is one of these, credentials that a person has withdrawn are not.
 */
export function couldNotAsk(error: unknown): boolean {
  if (!(error instanceof KeyferryError)) return false;
  if (error.code === 'database_unavailable') return true;
  if (error.code === 'credentials_withdrawn') return false;
  const failureClass = classOf(error);
  return isTransient(failureClass) || failureClass === 'unauthenticated';
}
