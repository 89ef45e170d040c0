import type { SecretListEntry } from '@aws-sdk/client-secrets-manager';
import type { ErrorCode } from '@keyferry/core';
import { incompleteListing } from '../common/incomplete-listing.ts';
import { pageTrail } from '../common/page-trail.ts';
import type { ListScope, SecretRef } from '../contract.ts';
import { malformed } from './errors.ts';
import { isName } from './name.ts';
import type { Ask } from './session.ts';
import { revisionOf, stateOf } from './state.ts';

/** The most that AWS gives at a time. */
const pageSize = 100;

/** The most values of a filter. */
const mostValues = 10;

const what = 'list secrets';

/** Failures of the vault as a whole keep their code; every other one becomes `listing_incomplete`. */
const codesOfTheWhole: readonly ErrorCode[] = ['vault_unauthenticated'];

/** All secrets of the scope, page by page, those that are scheduled for deletion too. */
export async function* listSecrets(ask: Ask, scope: ListScope, signal: AbortSignal): AsyncGenerator<SecretRef[]> {
  if (scope.folders.length === 0) return;
  const { ListSecretsCommand } = await import('@aws-sdk/client-secrets-manager');
  const prefixes = prefixesOf(scope.folders);
  const filters = prefixes === null ? {} : { Filters: [{ Key: 'name' as const, Values: prefixes }] };
  /** A secret can move to a later page while it is listed, if only by AWS's own doing. */
  const seen = new Set<string>();
  const follow = pageTrail(() => malformed(what));
  let token: string | undefined;
  for (let number = 1; ; number++) {
    const command = new ListSecretsCommand({
      MaxResults: pageSize,
      IncludePlannedDeletion: true,
      ...filters,
      ...(token !== undefined && { NextToken: token }),
    });
    const { entries, next } = await ask('list', what, signal, async ({ client, options }) => {
      const { SecretList, NextToken } = await client.send(command, options);
      if (!Array.isArray(SecretList) || (NextToken !== undefined && typeof NextToken !== 'string'))
        throw malformed(what);
      return { entries: SecretList.map(readEntry), next: NextToken };
    })
      .then((answer) => ({ ...answer, next: follow(answer.next) }))
      .catch((error) => rejectIncomplete(error, number, signal));
    const page = entries.filter(({ path }) => isWanted(path, scope) && !seen.has(path));
    for (const { path } of page) seen.add(path);
    if (page.length > 0) yield page;
    if (next === undefined) return;
    token = next;
  }
}

function readEntry(entry: SecretListEntry): SecretRef {
  const state = stateOf(entry, entry.SecretVersionsToStages);
  if (state === null || typeof entry.Name !== 'string' || entry.Name === '') throw malformed(what);
  const { version, facts, scheduled } = state;
  return {
    path: entry.Name,
    version,
    revision: version === null ? null : revisionOf(version, facts),
    // Without a current version there is no value, and never one again that was not written anew.
    deleted: scheduled || version === null,
    facts,
  };
}

function isWanted(path: string, scope: ListScope): boolean {
  const relative = path.replace(/^\//, '');
  return scope.folders.some((folder) => relative.startsWith(folder) || path.startsWith(folder)) && scope.includes(path);
}

/** What names begin with, where that can be said in one filter: a name may have a slash in front. Null is everything. */
function prefixesOf(folders: readonly string[]): string[] | null {
  const prefixes = [...new Set(folders.flatMap((folder) => [folder, `/${folder}`]))];
  return prefixes.length <= mostValues && folders.every(isName) ? prefixes : null;
}

function rejectIncomplete(error: unknown, page: number, signal: AbortSignal): never {
  signal.throwIfAborted();
  throw incompleteListing(error, `at its page ${page}`, codesOfTheWhole);
}
