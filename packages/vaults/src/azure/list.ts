import type { SecretProperties } from '@azure/keyvault-secrets';
import type { ErrorCode } from '@keyferry/core';
import { incompleteListing } from '../common/incomplete-listing.ts';
import type { ConnectContext, ListScope, SecretRef } from '../contract.ts';
import { malformed } from './errors.ts';
import type { Names } from './names.ts';
import { pagesOf } from './pages.ts';
import type { Session } from './session.ts';
import { revisionOf } from './state.ts';

const what = 'list the vault';

/** Failures of the vault as a whole keep their code; every other one becomes `listing_incomplete`. */
const codesOfTheWhole: readonly ErrorCode[] = ['vault_unauthenticated'];

/** The vault lists everything or nothing: what lies outside of the scope is left out here. */
export async function* listSecrets(
  { session, names, context }: { session: Session; names: Names; context: ConnectContext },
  scope: ListScope,
  signal: AbortSignal,
): AsyncGenerator<SecretRef[], void, void> {
  signal.throwIfAborted();
  if (scope.folders.length === 0) return;
  const wanted = (path: string) => scope.folders.some((folder) => path.startsWith(folder)) && scope.includes(path);
  let listed = 0;
  const refOf = (properties: SecretProperties, at: number): SecretRef => {
    if (!properties.name) throw malformed(what);
    const path = names.pathOf(properties.name);
    return { path, version: null, revision: revisionOf(properties, at), deleted: false, facts: null };
  };
  try {
    const question = { operation: 'list', what, signal } as const;
    for await (const { items, at } of pagesOf(session, context, question, (sdk) => sdk.listPropertiesOfSecrets())) {
      listed += items.length;
      const refs = items.map((properties) => refOf(properties, at)).filter(({ path }) => wanted(path));
      if (refs.length > 0) yield refs;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw incompleteListing(error, `after ${listed} secrets`, codesOfTheWhole);
  }
}
