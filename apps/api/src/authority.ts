import { forbiddenScope, type Identity } from '@keyferry/identity';
import type { IdentityRow } from '@keyferry/store';

/** Nobody comes by more than they have: not by what they give to others either, such as a token that they keep. */

/** Refuses to give scopes, or the rights of an operator, to who lacks them. Throws `forbidden`. */
export function assertMayGive(by: Identity, given: Pick<IdentityRow, 'scopes' | 'operator'>): void {
  const missing = given.scopes.find((scope) => !by.scopes.has(scope));
  if (missing) throw forbiddenScope(missing);
  assertMayChange(by, given);
}

/** An operator is changed by operators alone. Throws `forbidden`. */
export function assertMayChange(by: Identity, { operator }: Pick<IdentityRow, 'operator'>): void {
  if (operator && !by.operator) throw forbiddenScope('operator');
}
