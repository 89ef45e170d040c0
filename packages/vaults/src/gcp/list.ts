import type { ErrorCode } from '@keyferry/core';
import { incompleteListing } from '../common/incomplete-listing.ts';
import { pageTrail } from '../common/page-trail.ts';
import type { ListScope, SecretRef } from '../contract.ts';
import { malformed } from './errors.ts';
import { type Names, readName } from './names.ts';
import { entriesAPage, secretsPage } from './page.ts';
import type { Ask } from './session.ts';
import { factsOf, type Secret } from './state.ts';

/** What is handed on at a time. */
const pageSize = 500;

/** Failures of the vault as a whole keep their code; every other one becomes `listing_incomplete`. */
const codesOfTheWhole: readonly ErrorCode[] = ['vault_unauthenticated', 'container_missing'];

/** Pages through all secrets of the project, since its names know no folders. What can't be listed rejects. */
export async function* listSecrets(
  names: Names,
  ask: Ask,
  scope: ListScope,
  signal: AbortSignal,
): AsyncGenerator<SecretRef[], void, void> {
  if (scope.folders.length === 0) return;
  const follow = pageTrail(() => malformed(`list the secrets of ${names.parent}`));
  let from = '';
  let page: SecretRef[] = [];
  const readPage = async () => {
    const { items, next } = await secretsPage(ask, 'list', names.parent, { size: entriesAPage, from }, signal);
    return { refs: items.map((secret) => refOf(secret, names)), next: follow(next) ?? '' };
  };
  do {
    const { refs, next } = await readPage().catch((error) => rejectIncomplete(error, names.parent, signal));
    for (const ref of refs) {
      if (!scope.folders.some((folder) => ref.path.startsWith(folder)) || !scope.includes(ref.path)) continue;
      page.push(ref);
      if (page.length < pageSize) continue;
      yield page;
      page = [];
    }
    from = next;
  } while (from !== '');
  if (page.length > 0) yield page;
}

/** Nothing in a listing changes with a new version: what is current is seen by reading alone. */
function refOf(secret: Secret, names: Names): SecretRef {
  const name = readName(secret.name);
  if (name === null || name.version !== null) throw malformed(`list the secrets of ${names.parent}`);
  return { path: names.pathOf(name.secret), version: null, revision: null, deleted: false, facts: factsOf(secret) };
}

function rejectIncomplete(error: unknown, parent: string, signal: AbortSignal): never {
  signal.throwIfAborted();
  throw incompleteListing(error, `in ${parent}`, codesOfTheWhole);
}
